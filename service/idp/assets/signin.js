"use strict";
// The sign-in page: swaps what changed, and speaks with passkeys. Everything else works without it.
(() => {
  const page = () => document.getElementById("session");
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const say = (message) => {
    const place = document.getElementById("said");
    if (place) { place.textContent = message; place.hidden = false; }
  };

  // The same page again, of which the one region takes the place of the old one: no markup is made here. Says whether it came.
  const reload = () => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("GET", page().dataset.self);
    request.responseType = "document";
    request.onloadend = () => {
      const fresh = request.response && request.response.getElementById("session");
      if (fresh) {
        const old = page();
        if (old.dataset.seen !== fresh.dataset.seen) {
          old.replaceWith(document.adoptNode(fresh));
          wire();
          const heading = page().querySelector("h1");
          if (heading) { heading.tabIndex = -1; heading.focus(); }
          document.title = request.response.title;
          // The head is not swapped, so its refresh is done here.
          if (page().dataset.go) { location.assign(page().dataset.go); }
        }
      } else if (request.status === 401 || request.status === 404) {
        // It is over, and the answer says so.
        location.reload();
      }
      done(Boolean(fresh));
    };
    request.send();
  });

  const post = async (url, body) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });
    return answer.ok;
  };

  const assert = async (button) => {
    const { challenge, rpid, allow, url, token } = button.dataset;
    button.disabled = true;
    try {
      const made = await navigator.credentials.get({ publicKey: {
        challenge: bytes(challenge), rpId: rpid, userVerification: "required",
        allowCredentials: (allow ? allow.split(" ") : []).map((id) => ({ type: "public-key", id: bytes(id) })),
      } });
      const ok = await post(url, {
        form_token: token, id: text(made.rawId),
        clientDataJSON: text(made.response.clientDataJSON),
        authenticatorData: text(made.response.authenticatorData),
        signature: text(made.response.signature),
        userHandle: made.response.userHandle ? text(made.response.userHandle) : "",
      });
      if (!ok) { say("The passkey was not accepted."); }
    } catch { say("No passkey was used. You can try again or go on with your wallet."); }
    button.disabled = false;
    await reload();
  };

  const create = async (button) => {
    const { rpid, rpname, user, url, begin } = button.dataset;
    button.disabled = true;
    try {
      // The ticket stands in the fragment, which reaches no server until it is sent on purpose.
      const ticket = location.hash.slice(1);
      const begun = await fetch(begin, {
        method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ ticket }),
      });
      if (!begun.ok) { throw new Error("ticket"); }
      const { challenge, user_id } = await begun.json();
      const made = await navigator.credentials.create({ publicKey: {
        challenge: bytes(challenge), rp: { id: rpid, name: rpname },
        user: { id: bytes(user_id), name: user, displayName: user },
        pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }, { type: "public-key", alg: -257 }],
        authenticatorSelection: { residentKey: "required", userVerification: "required" }, attestation: "direct",
      } });
      const ok = await post(url, {
        ticket, clientDataJSON: text(made.response.clientDataJSON), attestationObject: text(made.response.attestationObject),
      });
      say(ok ? "The passkey was added. You can close this page." : "The passkey was not accepted.");
    } catch { say("No passkey was added. Ask your wallet for a new link."); }
    button.disabled = false;
  };

  const wire = () => {
    for (const button of document.querySelectorAll("button[data-passkey]")) {
      if (!window.PublicKeyCredential) { continue; }
      button.hidden = false;
      button.addEventListener("click", () => (button.dataset.passkey === "create" ? create(button) : assert(button)));
    }
  };

  // A hint says no more than: look again. Whatever ends the hints (a server that starts anew, a proxy that answers for it), the page
  // looks and listens from the beginning.
  const LISTEN_AGAIN_MS = 500;
  const listen = () => {
    const events = new EventSource(page().dataset.events);
    const again = () => {
      events.close();
      setTimeout(() => reload().then(listen), LISTEN_AGAIN_MS);
    };
    events.addEventListener("state", (event) => {
      reload().then((came) => {
        if (!came) { again(); } else if (event.data === "done") { events.close(); }
      });
    });
    // After a connection that broke the browser comes again by itself, after an answer that is no stream it does not.
    events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) { again(); } });
  };

  wire();
  if (page() && page().dataset.events && window.EventSource) { listen(); }
})();
