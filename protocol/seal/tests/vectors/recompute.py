"""Recomputes vector A of Seal/1 from its inputs, with the standard library alone. Prints nothing when everything fits.

    python3 recompute.py a.json            checks
    python3 recompute.py a.json --write    writes the computed values (never needed unless the protocol changes)
"""
import base64, hashlib, hmac, json, struct, sys

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
H = lambda b: hashlib.sha256(b).digest()
b64u = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
mac = lambda k, b: hmac.new(k, b, hashlib.sha256).digest()


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        m = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def mul(k, point):
    out = None
    while k:
        out, point, k = (add(out, point) if k & 1 else out), add(point, point), k >> 1
    return out


point = lambda q: b"\x04" + q[0].to_bytes(32, "big") + q[1].to_bytes(32, "big")
jcs = lambda v: json.dumps(v, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
frame = lambda label, *parts: label.encode() + b"\0" + b"".join(struct.pack(">I", len(p)) + p for p in parts)


def sign(key, message):  # RFC 6979, 3.2 with HMAC-SHA256
    z = int.from_bytes(H(message), "big")
    seed = key.to_bytes(32, "big") + (z % N).to_bytes(32, "big")
    k, v = b"\0" * 32, b"\1" * 32
    for byte in (b"\0", b"\1"):
        k = mac(k, v + byte + seed)
        v = mac(k, v)
    v = mac(k, v)
    nonce = int.from_bytes(v, "big")
    assert 0 < nonce < N
    r = mul(nonce, G)[0] % N
    return r.to_bytes(32, "big") + (pow(nonce, -1, N) * (z + r * key) % N).to_bytes(32, "big")


vector = json.load(open(sys.argv[1]))
s, e, d, dk = (int(vector["keys"][name], 16) for name in ("s", "e", "d", "dk"))
assert d == int.from_bytes(H(b"seal/1 vector D"), "big")
S, E, D, DK = (point(mul(k, G)) for k in (s, e, d, dk))
sid = bytes.fromhex(vector["sid"])
hashed = lambda name: b64u(H(vector["hashed"][name].encode()))
ctx = dict(vector["ctx"], service_seal=hashed("service_seal"), nonce=hashed("nonce"), browser=hashed("browser"))
t0 = H(frame("seal/1 ctx", jcs(ctx), E, sid))
shared = lambda k, q: mul(k, (int.from_bytes(q[1:33], "big"), int.from_bytes(q[33:], "big")))[0].to_bytes(32, "big")
prk = mac(t0, shared(s, D) + shared(e, D))
assert prk == mac(t0, shared(d, S) + shared(d, E))
kc = H(frame("seal/1 keys", S, E, D, DK))
k = lambda label, n: mac(prk, frame(label, kc) + b"\1")[:n]
dec6 = lambda x: "%06d" % (int.from_bytes(x, "big") % 10**6)
svc, usr = dec6(k("seal/1 svc-otp", 8)), dec6(k("seal/1 usr-otp", 8))
R = jcs(dict(vector["r"], sid=b64u(sid), t0=b64u(t0), consent_text=hashed("consent_text"), usr_otp=usr))
tag = mac(k("seal/1 resp-mac", 32), R)
M = frame("seal/1 resp", t0, H(R), tag)
got = {"ctx_bytes": len(jcs(ctx)), "r_bytes": len(R), "t0": t0.hex(), "prk": prk.hex(), "svc": svc, "usr": usr,
       "tag": tag.hex(), "h_m": H(M).hex(), "sig": sign(dk, M).hex(), "r": R.decode(), "ctx": jcs(ctx).decode()}
if "--write" in sys.argv:
    vector["want"] = got
    json.dump(vector, open(sys.argv[1], "w"), indent=1)
assert got == vector["want"], [name for name in got if got[name] != vector["want"].get(name)]
