// oidc-provider with its in-memory store, set up like ours: private_key_jwt, rotating refresh tokens, ES256.
// Reads one JSON line (port, public key), prints one JSON line (tokens to work with), then serves.

import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { port, key } = JSON.parse(line);
const origin = `http://127.0.0.1:${port}`;
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const portal = {
  client_id: 'portal', client_secret: 'portal-secret', redirect_uris: ['https://portal.example/callback'],
  grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: 'ES256',
};
const provider = new Provider(origin, {
  clients: [
    {
      client_id: 'system', redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [key] },
      scope: 'documents.read',
    },
    portal,
  ],
  scopes: ['openid', 'offline_access', 'documents.read'],
  jwks: { keys: [{ ...signing, alg: 'ES256', use: 'sig' }, { ...rsa.export({ format: 'jwk' }), use: 'sig' }] },
  features: {
    clientCredentials: { enabled: true }, introspection: { enabled: true }, devInteractions: { enabled: false },
  },
  rotateRefreshToken: true,
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});

const client = await provider.Client.find('portal');
async function login(accountId) {
  const grant = new provider.Grant({ accountId, clientId: 'portal' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const said = { accountId, client, grantId, scope: 'openid offline_access', gty: 'authorization_code' };
  return new provider.RefreshToken({ ...said, authTime: Math.floor(Date.now() / 1000), rotations: 0 }).save();
}
const refresh = await Promise.all(Array.from({ length: 8 }, (_, position) => login(`person-${position}`)));
provider.listen(port, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ refresh })}\n`);
});
