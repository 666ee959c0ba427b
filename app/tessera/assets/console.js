"use strict";
// The console's script: passkeys, what has changed, and the end of the session. Every page works without it.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const say = (message) => {
    const place = document.getElementById("said");
    place.textContent = message;
    place.hidden = false;
  };

  const challenge = async (form) => {
    const answer = await fetch(form.dataset.challenge, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams({ form_token: form.elements.form_token.value }),
    });
    if (!answer.ok) { throw new Error("challenge"); }
    return answer.json();
  };

  const use = async (form) => {
    const begun = await challenge(form);
    const made = await navigator.credentials.get({ publicKey: {
      challenge: bytes(begun.challenge), rpId: begun.rp_id, userVerification: "required",
    } });
    return {
      id: made.rawId, client_data_json: made.response.clientDataJSON, authenticator_data: made.response.authenticatorData,
      signature: made.response.signature, user_handle: made.response.userHandle || new ArrayBuffer(0),
    };
  };

  const create = async (form) => {
    const begun = await challenge(form);
    const name = form.dataset.user;
    const made = await navigator.credentials.create({ publicKey: {
      challenge: bytes(begun.challenge), rp: { id: begun.rp_id, name: "Tessera console" },
      user: { id: bytes(begun.user_id), name, displayName: "Console operator" },
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }, { type: "public-key", alg: -257 }],
      authenticatorSelection: { residentKey: "required", userVerification: "required" }, attestation: "none",
    } });
    return { client_data_json: made.response.clientDataJSON, attestation_object: made.response.attestationObject };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) { say("This browser has no passkeys; a one-time link does without."); continue; }
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      try {
        const members = await (form.dataset.passkey === "create" ? create(form) : use(form));
        for (const [name, value] of Object.entries(members)) { form.elements[name].value = text(value); }
        form.submit();
      } catch {
        say("No passkey was used. You can try again, or use a one-time link.");
        button.disabled = false;
      }
    });
  }

  // What has changed: the same page is loaded, and the parts that the hint names are swapped. A hidden tab rests.
  const live = () => [...document.querySelectorAll("[data-live]")];
  const swap = (names) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.addEventListener("load", () => {
      if (request.status !== 200 || !request.response) { return; }
      for (const old of live()) {
        const fresh = request.response.getElementById(old.id);
        const isNamed = !names || old.dataset.live.split(" ").some((name) => names.includes(name));
        // Whoever reads or works in a part is not disturbed.
        const isUsed = old.contains(document.activeElement) || old.querySelector("details[open]");
        if (fresh && isNamed && !isUsed) { old.replaceWith(document.adoptNode(fresh)); }
      }
    });
    request.send();
  };
  if (live().length > 0) {
    let source;
    const listen = () => {
      source = new EventSource(document.body.dataset.liveAt);
      source.addEventListener("changed", (event) => swap(event.data.split(" ")));
    };
    if (!document.hidden) { listen(); }
    document.addEventListener("visibilitychange", () => {
      if (source) { source.close(); }
      if (!document.hidden) { swap(); listen(); }
    });
  }

  // Two minutes before a session ends that nobody uses, the page says so, and asks (WCAG 2.2.1).
  const ending = document.getElementById("ending");
  if (ending) {
    let timer;
    const arm = (left) => {
      clearTimeout(timer);
      ending.hidden = true;
      timer = setTimeout(() => { ending.hidden = false; }, Math.max(0, left - 120) * 1000);
    };
    document.getElementById("stay").addEventListener("click", async () => {
      const body = new URLSearchParams({ form_token: document.body.dataset.formToken });
      const answer = await fetch("/console/stay", { method: "POST", headers: { Accept: "application/json" }, body }).catch(() => null);
      if (answer && answer.ok) { arm((await answer.json()).left_s); } else { location.reload(); }
    });
    arm(Number(document.body.dataset.leftS));
  }
})();
