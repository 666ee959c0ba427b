// A wallet that we did not write: OpenID4VCI and OpenID4VP by @openid4vc/*, SD-JWT VC by @sd-jwt/*, JOSE by jose.
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { X509Certificate } from 'node:crypto'
import * as jose from 'jose'
import { DcqlQuery } from 'dcql'
import { b64url, callbacks, makeKey, sha256 } from './callbacks.mjs'

export class Wallet {
  #credentials = []

  /** Redeems an offer link and keeps the credential; returns it with its claims. */
  async accept(offerUri, { proofKey } = {}) {
    const key = proofKey ?? (await makeKey())
    const client = new Openid4vciClient({ callbacks: callbacks([key]) })
    const credentialOffer = await client.resolveCredentialOffer(offerUri)
    const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
    const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
      credentialOffer,
      issuerMetadata,
    })
    const { c_nonce } = await client.requestNonce({ issuerMetadata })
    const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
    const { jwt } = await client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      nonce: c_nonce,
      signer: { method: 'jwk', publicJwk: key.publicJwk, alg: 'ES256' },
    })
    const { credentialResponse } = await client.retrieveCredentials({
      issuerMetadata,
      credentialConfigurationId,
      accessToken: accessTokenResponse.access_token,
      proofs: { jwt: [jwt] },
    })
    const compact = credentialResponse.credentials[0].credential
    const claims = await verifiedClaims(compact)
    const held = { compact, claims, key }
    this.#credentials.push(held)
    return { ...held, accessToken: accessTokenResponse.access_token, proof: jwt, issuerMetadata }
  }

  /** Checks a request, shows what it asks, answers it; `change` may spoil the presentation. Returns the verifier's answer. */
  async present(requestUri, { change = {} } = {}) {
    const client = new Openid4vpClient({ callbacks: callbacks([]) })
    const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: requestUri })
    const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params })
    const asked = resolved.authorizationRequestPayload
    const vpToken = {}
    for (const query of DcqlQuery.parse(resolved.dcql.query).credentials) {
      const held = this.#credentials.find((one) => (query.meta?.vct_values ?? []).includes(one.claims.vct))
      if (!held) throw new Error(`nothing held for ${query.id}`)
      vpToken[query.id] = [await this.#show(held, query, asked, change)]
    }
    const answer = await client.createOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: asked,
      authorizationResponsePayload: { vp_token: vpToken },
      jarm: {
        encryption: { nonce: b64url(crypto.getRandomValues(new Uint8Array(16))) },
        serverMetadata: {
          authorization_signing_alg_values_supported: [],
          authorization_encryption_alg_values_supported: ['ECDH-ES'],
          authorization_encryption_enc_values_supported: ['A128GCM', 'A256GCM'],
        },
      },
    })
    const send = () =>
      client.submitOpenid4vpAuthorizationResponse({
        authorizationRequestPayload: asked,
        authorizationResponsePayload: answer.authorizationResponsePayload,
        jarm: answer.jarm,
      })
    const { response } = await send()
    return { status: response.status, body: await response.json().catch(() => ({})), again: send }
  }

  async #show(held, query, asked, change) {
    const instance = new SDJwtVcInstance({
      hasher: (data) => sha256(data),
      hashAlg: 'sha-256',
      kbSigner: async (data) => {
        const signature = await crypto.subtle.sign(
          { name: 'ECDSA', hash: 'SHA-256' },
          (change.key ?? held.key).privateKey,
          new TextEncoder().encode(data),
        )
        return b64url(signature)
      },
      kbSignAlg: 'ES256',
    })
    const frame = {}
    for (const { path } of query.claims ?? []) {
      let place = frame
      path.forEach((name, depth) => {
        place[name] = depth === path.length - 1 ? true : (place[name] ?? {})
        place = place[name]
      })
    }
    return instance.present(held.compact, frame, {
      kb: {
        payload: {
          iat: change.iat ?? Math.floor(Date.now() / 1000),
          nonce: change.nonce ?? asked.nonce,
          aud: change.aud ?? asked.client_id,
        },
      },
    })
  }
}

/** The credential's claims, after its signature was checked with the leaf of its own x5c by jose. */
async function verifiedClaims(compact) {
  const [jwt] = compact.split('~')
  const { x5c } = jose.decodeProtectedHeader(jwt)
  const leaf = new X509Certificate(Buffer.from(x5c[0], 'base64'))
  await jose.compactVerify(jwt, leaf.publicKey)
  const instance = new SDJwtVcInstance({ hasher: (data) => sha256(data), hashAlg: 'sha-256' })
  return instance.getClaims(compact)
}
