// Passkeys (WebAuthn Level 3): the one thing on the account pages that needs a script. It shows the forms that
// were hidden, asks our server for options when they are needed, so that none grows old in an open tab, and
// sends the authenticator's answer as an ordinary form.

const forms = [...document.querySelectorAll("form[data-passkey]")];
const REFRESH = 8 * 60_000; // shorter than a challenge lives
let waiting = null; // the request that the browser offers among a field's suggestions

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const withId = (entry) => ({ ...entry, id: bytes(entry.id) });

function options(json) {
  const read = { ...json, challenge: bytes(json.challenge) };
  if (json.user) read.user = withId(json.user);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (json[list]) read[list] = json[list].map(withId);
  }
  return read;
}

function answer(credential) {
  const { response } = credential;
  const json = { clientDataJSON: text(response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[part]) json[part] = text(response[part]);
  }
  if (response.getTransports) json.transports = response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: json,
  });
}

async function ask(form) {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const reply = await fetch(form.dataset.options, { method: "POST", body, credentials: "same-origin" });
  if (!reply.ok) throw new Error(`options: ${reply.status}`);
  return reply.json();
}

async function perform(form, extra = {}) {
  const asked = await ask(form);
  const act = form.dataset.passkey === "create" ? "create" : "get";
  const credential = await navigator.credentials[act]({ publicKey: options(asked.options), ...extra });
  form.elements.challenge.value = asked.challenge;
  form.elements.response.value = answer(credential);
  form.submit();
}

async function pressed(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const [button, failed] = [form.querySelector("button"), form.querySelector("[data-failed]")];
  if (waiting) waiting.abort();
  failed.hidden = true;
  button.disabled = true;
  try {
    await perform(form);
  } catch {
    failed.hidden = false; // refused, timed out, or no connection: all are answered by trying again
    button.disabled = false;
  }
}

async function offerAmongSuggestions(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  waiting = new AbortController();
  const { signal } = waiting;
  const renewal = setTimeout(() => {
    waiting.abort();
    offerAmongSuggestions(form);
  }, REFRESH);
  signal.addEventListener("abort", () => clearTimeout(renewal));
  perform(form, { mediation: "conditional", signal }).catch(() => {}); // the password is still there
}

if (globalThis.PublicKeyCredential && navigator.credentials) {
  for (const note of document.querySelectorAll("[data-unsupported]")) note.hidden = true;
  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", pressed);
    if ("autofill" in form.dataset) offerAmongSuggestions(form);
  }
}
