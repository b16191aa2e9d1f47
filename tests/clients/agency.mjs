// An agency's system as its developers would write it, with a certified client and nothing of its own.
// Reads one JSON command per line from stdin, writes one JSON answer per line to stdout.
import readline from "node:readline";
import { importJWK } from "jose";
import * as client from "openid-client";

let config;
let handle;

const commands = {
  async discover({ issuer, clientId, key }) {
    const authentication = client.PrivateKeyJwt({ key: await importJWK(key, key.alg), kid: key.kid });
    const options = { execute: [client.allowInsecureRequests] }; // the service under test is on loopback
    config = await client.discovery(new URL(issuer), clientId, undefined, authentication, options);
    return config.serverMetadata();
  },

  // The key that tokens are bound to; it lives as long as this process and leaves it never.
  async bind({ algorithm }) {
    handle = client.getDPoPHandle(config, await client.randomDPoPKeyPair(algorithm));
    return { thumbprint: await handle.calculateThumbprint() };
  },

  async grant({ scope, bound }) {
    return client.clientCredentialsGrant(config, scope ? { scope } : {}, bound ? { DPoP: handle } : undefined);
  },

  async call({ url, token, bound, method, body }) {
    const headers = body ? new Headers({ "content-type": "application/json" }) : undefined;
    const sent = body ? JSON.stringify(body) : undefined;
    const options = bound ? { DPoP: handle } : undefined;
    const answer = await client.fetchProtectedResource(
      config, token, new URL(url), method ?? "GET", sent, headers, options,
    );
    return { status: answer.status, body: await answer.json() };
  },

  async introspect({ token }) {
    return client.tokenIntrospection(config, token);
  },

  async revoke({ token }) {
    await client.tokenRevocation(config, token);
    return {};
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await commands[command](given) };
  } catch (error) {
    const challenge = Array.isArray(error.cause) ? error.cause[0]?.parameters?.error : undefined;
    answer = {
      error: challenge ?? error.error ?? error.code ?? error.name,
      message: String(error.cause?.message ?? error.message),
    };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
