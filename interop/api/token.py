"""Prints the public URL and an access token, from what `tessera demo --json` printed."""

import json
import sys
import urllib.parse
import urllib.request

demo = json.load(open(sys.argv[1]))
auth = demo["auth"]
form = {"grant_type": "client_credentials", "client_id": auth["client_id"], "client_secret": auth["client_secret"]}
answer = urllib.request.urlopen(auth["token_url"], urllib.parse.urlencode(form).encode())
print(demo["urls"]["public"], json.load(answer)["access_token"])
