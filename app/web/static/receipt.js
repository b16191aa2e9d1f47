// Checks the receipt in the address of a document's page: the part behind "#", which no server ever sees.
// Decodes it as strictly as signing/receipt.py does, verifies ES256 with a key that the service publishes, and
// compares the claims with what the page shows. Says nothing where the browser lacks WebCrypto.

const P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551n;
const MAX_DIGITS = 2470;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DAY = 86_400_000;

class Malformed extends Error {}

function require(condition) {
  if (!condition) throw new Malformed();
}

const number = (bytes) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);

function bytesOfDigits(digits) {
  require(/^[1-9][0-9]*$/.test(digits) && digits.length <= MAX_DIGITS);
  const text = BigInt(digits).toString(16);
  const pairs = text.padStart(text.length + (text.length % 2), "0").match(/../g);
  const raw = Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
  require(raw[0] === 1 && raw.length > 1);
  return raw.subarray(1);
}

// CBOR in core deterministic form (RFC 8949, 4.2.1), as far as a receipt needs it.
class Cbor {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(count) {
    require(count <= this.bytes.length - this.at);
    return this.bytes.subarray(this.at, (this.at += count));
  }

  head(major) {
    const [first] = this.take(1);
    require(first >> 5 === major);
    const short = first & 31;
    if (short < 24) return short;
    require(short <= 27);
    const size = 2 ** (short - 24);
    const value = number(this.take(size));
    require(value >= (size === 1 ? 24n : 1n << BigInt(4 * size)) && value <= BigInt(Number.MAX_SAFE_INTEGER));
    return Number(value);
  }

  bytestring() {
    return this.take(this.head(2));
  }

  text() {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(this.head(3)));
  }

  end() {
    require(this.at === this.bytes.length);
  }
}

function decode(encoded) {
  const message = new Cbor(encoded);
  require(message.head(6) === 18 && message.head(4) === 4);
  const header = message.bytestring();
  require(header.length === 13 && same(header.subarray(0, 5), [0xa2, 0x01, 0x26, 0x04, 0x48]));
  require(message.head(5) === 0);
  const payload = message.bytestring();
  const signature = message.bytestring();
  message.end();
  require(signature.length === 64);
  const [r, s] = [number(signature.subarray(0, 32)), number(signature.subarray(32))];
  require(r > 0n && r < P256_ORDER && s > 0n && s <= P256_ORDER / 2n);
  return { header, payload, signature, keyId: hex(header.subarray(5)), claims: claimsOf(payload) };
}

function claimsOf(payload) {
  const table = new Cbor(payload);
  const claims = {};
  let last = -1;
  for (let left = table.head(5); left > 0; left -= 1) {
    const key = table.head(0);
    require(key > last && key <= 9);
    last = key;
    if ([1, 4, 5].includes(key)) claims[key] = table.text();
    else if ([2, 9].includes(key)) claims[key] = table.bytestring();
    else claims[key] = table.head(0);
  }
  table.end();
  require([0, 1, 2, 3, 4, 6, 8, 9].every((key) => key in claims));
  require(claims[0] === 1 && claims[2].length === 10 && claims[9].length === 32);
  return claims;
}

function shownForm(claims) {
  const day = (days) => new Date(days * DAY).toISOString().slice(0, 10);
  const id = number(claims[2]);
  const shifts = Array.from({ length: 16 }, (_, index) => BigInt(75 - 5 * index));
  return {
    id: shifts.map((shift) => ALPHABET[Number((id >> shift) & 31n)]).join(""),
    issuer: claims[1],
    type: String(claims[3]),
    number: claims[4],
    holder: claims[5] ?? "",
    issued: day(claims[6]),
    until: 7 in claims ? day(claims[7]) : "",
  };
}

async function isSigned({ header, payload, signature, keyId }) {
  const answer = await fetch("/v1/receipt-keys", { credentials: "omit" });
  if (!answer.ok) throw new Error("the keys cannot be read");
  const key = (await answer.json()).keys.find((candidate) => candidate.kid === keyId);
  if (!key) return false;
  const { kty, crv, x, y } = key;
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const verifier = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, ["verify"]);
  // Sig_structure of RFC 9052, 4.4: ["Signature1", protected header, no external data, payload].
  const size = payload.length < 24 ? [0x40 | payload.length]
    : payload.length < 256 ? [0x58, payload.length] : [0x59, payload.length >> 8, payload.length & 255];
  const name = new TextEncoder().encode("Signature1");
  const signed = Uint8Array.from([0x84, 0x6a, ...name, 0x4d, ...header, 0x40, ...size, ...payload]);
  return crypto.subtle.verify(algorithm, verifier, signature, signed);
}

// Null for whatever is not a receipt in its one form: also where the platform's own decoders refuse a part.
function readable(digits) {
  try {
    const receipt = decode(bytesOfDigits(digits));
    return { receipt, printed: shownForm(receipt.claims) };
  } catch {
    return null;
  }
}

const signed = document.getElementById("receipt-signed");
const verdict = document.getElementById("verdict");
const differs = document.getElementById("differs-instead").content.firstElementChild.cloneNode(true);

// True: signed and the same. False: takes the place of the outcome, so that there is one at a time. Null: silent.
function conclude(genuine) {
  signed.hidden = genuine !== true;
  if (genuine === false) verdict.replaceWith(differs);
  else differs.replaceWith(verdict);
}

async function say() {
  const shown = document.querySelector("[data-receipt]").dataset;
  conclude(null);
  if (location.hash.length < 2 || !globalThis.crypto?.subtle) return;
  const found = readable(location.hash.slice(1));
  const agrees = found && Object.entries(found.printed).every(([name, value]) => shown[name] === value);
  try {
    conclude(Boolean(agrees) && (await isSigned(found.receipt)));
  } catch {
    // The keys are out of reach: there is nothing that could be said about the signature.
  }
}

addEventListener("hashchange", say);
say();
