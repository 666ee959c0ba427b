#!/bin/sh
# Makes the specimen maker of authenticators anew: its root, and the leaf that WebAuthn Level 3, 8.2.1 asks for, with the private
# half (PKCS #8, for tests alone). Needs OpenSSL 3.
set -eu
openssl ecparam -name prime256v1 -genkey -noout -out root.key
openssl req -x509 -new -key root.key -sha256 -days 36500 -subj "/C=XX/O=Specimen Maker/CN=Specimen Root" \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -outform DER -out root.der
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
openssl req -new -key leaf.key -subj "/C=XX/O=Specimen Maker/OU=Authenticator Attestation/CN=Specimen Leaf" -out leaf.csr
printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n' >leaf.ext
openssl x509 -req -in leaf.csr -CA root.der -CAform DER -CAkey root.key -set_serial 7 -days 36400 -sha256 -extfile leaf.ext \
  -outform DER -out leaf.der
openssl pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out leaf.pkcs8
rm -f root.key leaf.key leaf.csr leaf.ext
