// A small authority of our own making: a root, and leaves below it for who issues and who asks. Certificates by @peculiar/x509.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { randomBytes } from 'node:crypto'
import { makeKey } from './callbacks.mjs'

const DAY_MS = 24 * 60 * 60 * 1000
const ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' }
const SIGNS = x509.KeyUsageFlags.digitalSignature
const CERTIFIES = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign

/** A root with a fresh key: `{ name, key, pem }`. */
export async function makeRoot(commonName) {
  const name = `C=SI, O=Interop, CN=${commonName}`
  const key = await makeKey()
  const certificate = await x509.X509CertificateGenerator.create({
    ...common(name, name, key, key),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(CERTIFIES, true),
      await x509.SubjectKeyIdentifierExtension.create(key.publicKey),
    ],
  })
  return { name, key, pem: `${certificate.toString('pem')}\n` }
}

/** A leaf below `root` that carries the URI: `{ publicJwk, publicKey, privateKey, x5c, der }`, the root not in its chain. */
export async function makeLeaf(root, commonName, uri) {
  const key = await makeKey()
  const certificate = await x509.X509CertificateGenerator.create({
    ...common(`C=SI, O=Interop, CN=${commonName}`, root.name, key, root.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(SIGNS, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }]),
      await x509.SubjectKeyIdentifierExtension.create(key.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(root.key.publicKey),
    ],
  })
  const der = Buffer.from(certificate.rawData)
  return { ...key, x5c: [der.toString('base64')], der }
}

function common(subject, issuer, key, signer) {
  return {
    serialNumber: `40${randomBytes(15).toString('hex')}`,
    subject,
    issuer,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 30 * DAY_MS),
    publicKey: key.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: ALGORITHM,
  }
}
