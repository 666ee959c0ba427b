// A sign-in, driven by openid-client for both servers: PAR, authorise, approve, token, userinfo. What differs is how the person
// approves: at the peer by one POST of a page, at ours by a wallet that claims the session, reads the page's code and answers.
import * as client from 'openid-client'
import { formBody, jsonBody } from '../bench-credentials/http.mjs'
import { Wallet } from './wallet.mjs'

export const CALLBACK = 'http://localhost:4999/cb'

/** A relying party with a browser and a person at hand: `signIn()` is one flow. */
export class Shop {
  /** `registered`: `{ client_id, client_secret? }`; without a secret it binds its tokens to a key (DPoP). */
  static async open(server, caller, registered, scope) {
    const shop = new Shop()
    const auth = registered.client_secret ? client.ClientSecretBasic(registered.client_secret) : client.None()
    const metadata = { id_token_signed_response_alg: 'ES256' }
    shop.config = await client.discovery(new URL(server.issuer), registered.client_id, metadata, auth, {
      execute: [client.allowInsecureRequests],
      [client.customFetch]: (url, init) => fetched(caller, url, init),
    })
    shop.config[client.customFetch] = (url, init) => fetched(caller, url, init)
    Object.assign(shop, { caller, scope, issuer: server.issuer })
    if (!registered.client_secret) shop.keys = await client.randomDPoPKeyPair('ES256')
    return shop
  }

  async signIn(approve) {
    const { config } = this
    const DPoP = this.keys && client.getDPoPHandle(config, this.keys)
    const verifier = client.randomPKCECodeVerifier()
    const asked = { state: client.randomState(), nonce: client.randomNonce() }
    const wanted = {
      redirect_uri: CALLBACK,
      scope: this.scope,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...asked,
    }
    const url = await client.buildAuthorizationUrlWithPAR(config, wanted, { DPoP })
    const back = await approve(new Browser(this.caller), url.href)
    const checks = { pkceCodeVerifier: verifier, expectedState: asked.state, expectedNonce: asked.nonce }
    const tokens = await client.authorizationCodeGrant(config, new URL(back), checks, undefined, { DPoP })
    const { sub } = tokens.claims()
    return client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })
  }
}

/** A browser of one sign-in: its cookies, and no redirect followed by itself. */
class Browser {
  #cookies = new Map()
  constructor(caller) {
    this.caller = caller
  }

  async go(method, url, { headers = {}, body } = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await this.caller.call(method, url, { headers: { ...headers, ...(cookie ? { cookie } : {}) }, body })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair] = line.split(';')
      const at = pair.indexOf('=')
      this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    if (answer.status >= 400) throw new Error(`${method} ${new URL(url).pathname}: ${answer.status} ${answer.text.slice(0, 300)}`)
    return answer
  }

  /** Where a redirect leads. */
  async led(method, url, options) {
    const { headers } = await this.go(method, url, options)
    return new URL(headers.location, url).href
  }
}

/** The peer's way: the page, one POST that says yes, and back through the provider. */
export const atPeer = (worker) => async (browser, url) => {
  const page = await browser.led('GET', url)
  const resumed = await browser.led('POST', page, { ...formBody({ approve: 'yes' }), headers: { 'x-person': String(worker) } })
  return browser.led('GET', resumed)
}

/** Ours: the page, the wallet's claim, the code that the page then shows, the wallet's answer, and back. */
export const atOurs = (wallet, seen = () => {}) => async (browser, url) => {
  const opened = JSON.parse((await browser.go('GET', url, { headers: { accept: 'application/json' } })).text)
  const claim = await wallet.claim(opened.claim_uri)
  const claimed = performance.now()
  const state = JSON.parse((await browser.go('GET', opened.state_url)).text)
  seen(performance.now() - claimed)
  await wallet.approve(claim, state.code)
  return browser.led('GET', opened.state_url.replace(/\/state$/, '/finish'))
}

/** Shops and persons, one of each a worker: rates are counted per client, and claims per device. */
export async function peopleOf(server, callers, { scope, dpop, document }) {
  return Promise.all(
    callers.map(async (caller, worker) => {
      if (server.name === 'oidc-provider') {
        const registered = (dpop ? server.bound : server.clients)[worker]
        return { shop: await Shop.open(server, caller, registered, scope), approve: atPeer(worker) }
      }
      const registered = await register(server, caller, worker, { scope, dpop })
      const seal = document ? await issued(server, caller, worker) : undefined
      const wallet = await Wallet.enrol(caller, server.tenant, seal)
      return { shop: await Shop.open(server, caller, registered, scope), approve: atOurs(wallet) }
    }),
  )
}

async function register(server, caller, worker, { scope, dpop }) {
  const form = {
    name: `Shop ${worker}`,
    legal_name: `Shop ${worker} SA`,
    origins: [new URL(CALLBACK).origin],
    redirect_uris: [CALLBACK],
    scopes: scope.split(' '),
    auth_method: dpop ? 'none' : 'client_secret_basic',
    origin_proof: 'operator',
  }
  const { body } = await caller.json('POST', `${server.base}/api/v1/relying-parties`, jsonBody(form, server.token(worker)))
  if (body.state !== 'active') throw new Error(`the relying party is ${JSON.stringify(body)}`)
  return { client_id: body.id, client_secret: body.client_secret }
}

async function issued(server, caller, worker) {
  const claims = {
    given_name: 'Ida',
    family_name: 'Specimen',
    birth_date: '1990-04-12',
    number: `SPECIMEN-BENCH-${worker}`,
    expiry: '2031-01-01',
  }
  const form = { type: 'organisation', claims }
  const { body } = await caller.json('POST', `${server.base}/api/v1/document-seals`, jsonBody(form, server.token(worker)))
  return body.seal
}

/** `fetch` over the worker's own connection, as far as openid-client needs it. */
async function fetched(caller, url, { method, headers, body }) {
  const sent = body === undefined || body === null ? undefined : String(body)
  const plain = headers instanceof Headers ? Object.fromEntries(headers) : headers
  const answer = await caller.call(method, String(url), { headers: plain, body: sent })
  return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers: pairs(answer.headers) })
}

function* pairs(headers) {
  for (const [name, value] of Object.entries(headers)) yield [name, Array.isArray(value) ? value.join(', ') : value]
}
