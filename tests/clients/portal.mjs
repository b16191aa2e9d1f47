// A portal as its developers would write it, with a certified client and nothing of its own.
// Reads one JSON command per line from stdin, writes one JSON answer per line to stdout.
import readline from "node:readline";
import { importJWK } from "jose";
import * as client from "openid-client";

let config;
let logins = {};

const commands = {
  async discover({ issuer, clientId, secret, key, algorithm }) {
    const authentication = key
      ? client.PrivateKeyJwt({ key: await importJWK(key, key.alg), kid: key.kid })
      : secret
        ? client.ClientSecretBasic(secret)
        : client.None();
    const metadata = algorithm ? { id_token_signed_response_alg: algorithm } : undefined;
    const options = { execute: [client.allowInsecureRequests] }; // the service under test is on loopback
    config = await client.discovery(new URL(issuer), clientId, metadata, authentication, options);
    client.enableNonRepudiationChecks(config); // verify ID tokens by our keys, though they came by our hand
    return { endpoint: config.serverMetadata().authorization_endpoint };
  },

  async start({ redirectUri, pushed, parameters }) {
    const login = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
    };
    if (parameters?.max_age !== undefined) login.maxAge = Number(parameters.max_age);
    const sent = {
      redirect_uri: redirectUri,
      scope: "openid profile email",
      code_challenge: await client.calculatePKCECodeChallenge(login.pkceCodeVerifier),
      code_challenge_method: "S256",
      state: login.expectedState,
      nonce: login.expectedNonce,
      ...parameters,
    };
    logins[login.expectedState] = login;
    const url = pushed
      ? await client.buildAuthorizationUrlWithPAR(config, sent)
      : client.buildAuthorizationUrl(config, sent);
    return { url: url.href };
  },

  async finish({ url }) {
    const login = logins[new URL(url).searchParams.get("state")];
    const tokens = await client.authorizationCodeGrant(config, new URL(url), login);
    return { tokens, claims: tokens.claims() };
  },

  async userinfo({ token, subject }) {
    return client.fetchUserInfo(config, token, subject);
  },

  async refresh({ token }) {
    const tokens = await client.refreshTokenGrant(config, token);
    return { tokens, claims: tokens.claims() };
  },

  async introspect({ token }) {
    return client.tokenIntrospection(config, token);
  },

  async revoke({ token }) {
    await client.tokenRevocation(config, token);
    return {};
  },

  async leave({ idToken, returnTo, state }) {
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: idToken,
      post_logout_redirect_uri: returnTo,
      state,
    });
    return { url: url.href };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await commands[command](given) };
  } catch (error) {
    answer = { error: error.error ?? error.code ?? error.name, message: String(error.cause?.message ?? error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
