"""A relying party made of PyPI's Authlib: private_key_jwt, PKCE, no PAR, no DPoP. It is driven over stdin and stdout, one JSON
object a line, by authlib.mjs, which plays browser and person."""
import json
import sys
import time

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

VERIFIER = "a-code-verifier-of-a-specimen-relying-party-0123456789"


def say(**what):
    print(json.dumps(what), flush=True)


def hear():
    return json.loads(sys.stdin.readline())


key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
public = key.as_dict(private=False)
say(jwks={"keys": [public]})

told = hear()
claims = {
    "iss": told["client_id"],
    "aud": told["issuer"],
    "challenge": told["challenge"],
    "origins": told["origins"],
    "iat": int(time.time()),
}
say(proof=jwt.encode({"alg": "ES256", "typ": "seal-service-proof+jwt", "kid": public["kid"]}, claims, key))

metadata = requests.get(hear()["configuration"], timeout=10).json()
issuer = metadata["issuer"]
session = OAuth2Session(
    told["client_id"],
    key,
    token_endpoint_auth_method="private_key_jwt",
    scope="openid offline_access identity:age_over_18",
    redirect_uri=told["redirect_uri"],
    code_challenge_method="S256",
)
# The audience of an assertion is the issuer (RFC 7523bis, OpenID Connect Core errata), not the endpoint.
session.register_client_auth_method(PrivateKeyJWT(issuer, headers={"kid": public["kid"]}, alg="ES256"))
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-authlib")
say(url=url)

callback = hear()["callback"]
token = session.fetch_token(
    metadata["token_endpoint"], authorization_response=callback, code_verifier=VERIFIER, state=state
)
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
id_token = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
jwt.JWTClaimsRegistry(
    leeway=5,
    iss={"essential": True, "value": issuer},
    aud={"essential": True, "value": told["client_id"]},
    nonce={"essential": True, "value": "n-authlib"},
    exp={"essential": True},
).validate(id_token)
info = session.get(metadata["userinfo_endpoint"]).json()
refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
again = session.get(metadata["userinfo_endpoint"]).json()
replayed = requests.post(
    metadata["token_endpoint"],
    data={"grant_type": "authorization_code", "code": callback.split("code=")[1].split("&")[0]},
    timeout=10,
).json()
say(
    token_type=token["token_type"],
    sub=id_token["sub"],
    acr=id_token["acr"],
    userinfo=info,
    refreshed=refreshed["access_token"] != token["access_token"],
    sub_after_refresh=again["sub"],
    replayed=replayed.get("error"),
)
