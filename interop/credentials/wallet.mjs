// A wallet that we did not write: OpenID4VCI and OpenID4VP by @openid4vc/*, SD-JWT VC by @sd-jwt/*, JOSE by jose.
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { X509Certificate } from 'node:crypto'
import * as jose from 'jose'
import { DcqlQuery } from 'dcql'
import { b64url, callbacks, makeKey, sha256 } from './callbacks.mjs'
import { clientAuthenticationClientAttestationJwt, createClientAttestationJwt } from '@openid4vc/oauth2'

export class Wallet {
  #credentials = []

  /**
   * Redeems an offer link and keeps the credentials; returns the first with its claims, and all of them as `copies`. `txCode` came by
   * another way; `copies` is how many keys are proved; `dpopKey` binds the token; `attested` shows who made this wallet (`attest`);
   * `notify` is told to the issuer at the end.
   */
  async accept(offerUri, { proofKey, txCode, copies = 1, dpopKey, attested, notify } = {}) {
    const keys = [proofKey ?? (await makeKey())]
    while (keys.length < copies) keys.push(await makeKey())
    const signers = [...keys, dpopKey, attested?.key].filter(Boolean)
    const context = callbacks(signers)
    if (attested) context.clientAuthentication = attested.authentication(context)
    const client = new Openid4vciClient({ callbacks: context })
    const credentialOffer = await client.resolveCredentialOffer(offerUri)
    const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
    const bound = dpopKey && { signer: { method: 'jwk', publicJwk: dpopKey.publicJwk, alg: 'ES256' } }
    const { accessTokenResponse, dpop } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
      credentialOffer,
      issuerMetadata,
      txCode,
      dpop: bound,
    })
    const accessToken = accessTokenResponse.access_token
    const { c_nonce } = await client.requestNonce({ issuerMetadata })
    const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
    const jwt = []
    for (const key of keys) {
      const signer = { method: 'jwk', publicJwk: key.publicJwk, alg: 'ES256' }
      const proof = { issuerMetadata, credentialConfigurationId, nonce: c_nonce, signer }
      jwt.push((await client.createCredentialRequestJwtProof(proof)).jwt)
    }
    const asked = { issuerMetadata, credentialConfigurationId, accessToken, proofs: { jwt }, dpop: dpop && { ...bound, ...dpop } }
    const answer = await client.retrieveCredentials(asked)
    const { credentials, notification_id: notificationId } = answer.credentialResponse
    const held = []
    for (const [nth, { credential }] of credentials.entries()) {
      held.push({ compact: credential, claims: await verifiedClaims(credential), key: keys[nth] })
    }
    this.#credentials.push(...held)
    if (notify) {
      const notification = { notificationId, event: notify }
      await client.sendNotification({ issuerMetadata, notification, accessToken, dpop: answer.dpop && { ...bound, ...answer.dpop } })
    }
    return { ...held[0], copies: held, accessToken, tokenType: accessTokenResponse.token_type, proof: jwt[0], issuerMetadata }
  }

  /**
   * Checks a request, shows what it asks, answers it; `change` may spoil the presentation, without `parties` an encrypted answer has
   * neither apu nor apv. Returns the verifier's answer.
   */
  async present(requestUri, { change = {}, parties = true } = {}) {
    const client = new Openid4vpClient({ callbacks: callbacks([]) })
    const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: requestUri })
    const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params })
    const asked = resolved.authorizationRequestPayload
    const vpToken = {}
    for (const query of DcqlQuery.parse(resolved.dcql.query).credentials) {
      const held = this.#credentials.find((one) => (query.meta?.vct_values ?? []).includes(one.claims.vct))
      if (!held) throw new Error(`nothing held for ${query.id}`)
      const shown = await this.#show(held, query, asked, change)
      vpToken[query.id] = [change.text ? change.text(shown) : shown]
    }
    const encryption = parties ? { nonce: b64url(crypto.getRandomValues(new Uint8Array(16))) } : {}
    const answer = await client.createOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: asked,
      authorizationResponsePayload: { vp_token: vpToken },
      jarm: asked.response_mode === 'direct_post.jwt' && {
        encryption,
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

/** What a maker with the certified key `leaf` says of one wallet: its key, and how it shows itself at the token door. */
export async function attest(leaf, clientId, { expiresAt = new Date(Date.now() + 3_600_000) } = {}) {
  const key = await makeKey()
  const clientAttestationJwt = await createClientAttestationJwt({
    issuer: 'https://maker.example',
    clientId,
    issuedAt: new Date(),
    expiresAt,
    confirmation: { jwk: key.publicJwk },
    signer: { method: 'x5c', alg: 'ES256', x5c: leaf.x5c },
    callbacks: callbacks([leaf]),
  })
  const authentication = (context) => clientAuthenticationClientAttestationJwt({ clientAttestationJwt, callbacks: context })
  return { key, authentication }
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
