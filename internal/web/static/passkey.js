// Adding passkeys, and signing in with them. They need a script: the browser asks the
// person, and its answer is sent with the form.

const credentials = {
  create: async (options) => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: async (options) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

// explain says why there is no passkey. Browsers don't tell a person who canceled from
// a device without passkeys.
function explain(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey for your account here already.";
  if (error.name === "NotAllowedError") return "No passkey was used: it was canceled, took too long, or this device has none for this address. Try again.";
  return error.message || "Your browser couldn’t use a passkey here.";
}

async function challenge(address) {
  const response = await fetch(address, { method: "POST", headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? "The server gave no challenge. Reload the page and try again.");
  return answer;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!self.PublicKeyCredential?.parseCreationOptionsFromJSON) continue; // the page says what else to do
  const wrong = form.querySelector("[data-wrong]"), button = form.querySelector("button");
  form.hidden = false;
  for (const note of document.querySelectorAll("[data-no-passkey]")) note.hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.hidden = true;
    try {
      const credential = await credentials[form.dataset.passkey](await challenge(form.dataset.challenge));
      form.elements.response.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      wrong.textContent = explain(error);
      wrong.hidden = false;
      button.disabled = false;
    }
  });
}
