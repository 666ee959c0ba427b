// The peer: npm's oidc-provider, everything in memory, as its README sets it up. Prints one line of JSON when it listens.
// Usage: node peer.mjs NUMBER-OF-CLIENTS
import http from 'node:http'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import Provider from 'oidc-provider'

const CALLBACK = 'http://localhost:4999/cb'
const clients = Array.from({ length: Number(process.argv[2]) }, (_, worker) => ({
  client_id: `shop-${worker}`,
  client_secret: randomBytes(32).toString('base64url'),
}))
const bound = clients.map(({ client_id }) => ({ client_id: `${client_id}-bound` }))
const common = {
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  id_token_signed_response_alg: 'ES256',
}
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })

const server = http.createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://localhost:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [
    ...clients.map((client) => ({ ...client, ...common, token_endpoint_auth_method: 'client_secret_basic' })),
    ...bound.map((client) => ({ ...client, ...common, token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true })),
  ],
  jwks: { keys: [{ ...jwk, use: 'sig', alg: 'ES256' }] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  features: { devInteractions: { enabled: false }, pushedAuthorizationRequests: { enabled: true }, dPoP: { enabled: true } },
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['name'] },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, name: 'Ida Specimen' }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
})

/** The person says yes: who, and to what, in one step. */
async function approve(request, response) {
  const { params } = await provider.interactionDetails(request, response)
  const accountId = `person-${request.headers['x-person'] ?? 0}`
  const grant = new provider.Grant({ accountId, clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  const result = { login: { accountId }, consent: { grantId: await grant.save() } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

const serve = provider.callback()
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return serve(request, response)
  approve(request, response).catch((fault) => {
    response.statusCode = 500
    response.end(String(fault))
  })
})
console.log(JSON.stringify({ issuer, clients, bound }))
