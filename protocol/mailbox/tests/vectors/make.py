#!/usr/bin/env python3
"""Writes the vectors beside this file: a second implementation of the bytes, in Python's hashlib, hmac and `cryptography`.

`python3 make.py` must leave the files as they are.
"""
import hashlib
import hmac
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = b"tessera/relay/1 "
NORMAL, FAST = 0, 1


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u16(n):
    return struct.pack(">H", n)


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def expand(key, x, n):
    out, block, count = b"", b"", 1
    while len(out) < n:
        block = hmac.new(key, block + PREFIX + x + bytes([count]), hashlib.sha256).digest()
        out, count = out + block, count + 1
    return out[:n]


def draw(label, n):
    """Bytes that look random and follow from a label."""
    return b"".join(sha256(label.encode(), u32(i)) for i in range(n // 32 + 1))[:n]


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [hexed(one) for one in value]
    return value


def write(name, value):
    text = json.dumps(hexed(value), indent=1, ensure_ascii=False) + "\n"
    Path(__file__).with_name(name).write_text(text, encoding="utf-8")


# --- body ---------------------------------------------------------------------------------------------------------------------


def body(kind, flags, seq, ack, ack_bits, message, fragment, fragments, payload):
    head = bytes([1, kind]) + u16(flags) + u32(seq) + u32(ack) + u32(ack_bits) + u32(message)
    head += u16(fragment) + u16(fragments) + u16(len(payload))
    return head + payload + bytes(454 - len(payload))


def bodies():
    cases = []
    for fields in [
        dict(kind=1, flags=0, seq=1, ack=0, ack_bits=0, message=1, fragment=0, fragments=1, payload=b"hello"),
        dict(kind=1, flags=3, seq=0x01020304, ack=0x05060708, ack_bits=0x80000001, message=0xFFFFFFFF, fragment=63,
             fragments=64, payload=draw("payload", 454)),
        dict(kind=2, flags=1, seq=0, ack=9, ack_bits=5, message=0, fragment=0, fragments=1, payload=b""),
        dict(kind=7, flags=0, seq=1, ack=0, ack_bits=0, message=1, fragment=0, fragments=1, payload=draw("confirm", 48)),
    ]:
        cases.append({**fields, "body": body(**fields)})
    good = bytearray(body(1, 0, 1, 0, 0, 1, 0, 1, b"hello"))

    def broken(at, byte):
        changed = bytearray(good)
        changed[at] = byte
        return bytes(changed)

    refused = {
        "version": broken(0, 2),
        "kind zero": broken(1, 0),
        "kind nine": broken(1, 9),
        "no fragments": broken(23, 0),
        "65 fragments": broken(23, 65),
        "fragment beyond its message": broken(21, 1),
        "length over 454": broken(24, 2),
        "a byte after the payload": broken(31, 1),
        "the last byte": broken(479, 1),
        "too short": bytes(good[:479]),
        "too long": bytes(good) + b"\0",
    }
    write("body.json", {"accepted": cases, "refused": [{"why": why, "body": one} for why, one in refused.items()]})


# --- chain --------------------------------------------------------------------------------------------------------------------


def slots(root, ratchets, epoch, rounds_per_epoch, clazz, direction, wanted):
    """Tag and key of each wanted round, by walking every step from the first epoch on."""
    found, at = {}, root
    current = epoch
    while len(found) < len(wanted):
        start = expand(at, b"chain" + u32(current) + bytes([clazz, direction]), 32)
        step = b""
        for offset in range(rounds_per_epoch):
            if offset % 64 == 0:
                both = expand(start, b"segment", 64)
                start, step = both[:32], both[32:]
            made = expand(step, b"step", 80)
            step, key, tag = made[:32], made[32:64], made[64:]
            number = current * rounds_per_epoch + offset
            if number in wanted:
                found[number] = (tag, key)
        current += 1
        if ratchets:
            at = expand(at, b"epoch" + u32(current), 32)
    return found


def chains():
    cases = []
    root = draw("root", 32)
    # Epochs of 6,000 ms: 100 normal rounds of 60 ms, 600 fast rounds of 10 ms.
    for ratchets in [True, False]:
        for clazz, per_epoch in [(NORMAL, 100), (FAST, 600)]:
            for direction in [0, 1]:
                first = 3 * per_epoch
                wanted = [first, first + 1, first + 63, first + 64, first + 99, first + per_epoch, first + 3 * per_epoch + 7]
                found = slots(root, ratchets, 3, per_epoch, clazz, direction, set(wanted))
                rounds = [{"round": n, "tag": found[n][0], "key": found[n][1]} for n in wanted]
                cases.append({"ratchets": ratchets, "class": clazz, "direction": direction, "rounds": rounds})
    write("chain.json", {
        "genesis_ms": 0, "epoch_ms": 6000, "normal_ms": 60, "fast_ms": 10, "root": root, "epoch": 3, "cases": cases,
    })


# --- cell ---------------------------------------------------------------------------------------------------------------------


def seal(key, network, clazz, number, direction, plain):
    aad = PREFIX + b"cell" + network + bytes([clazz]) + u64(number) + bytes([direction])
    return AESGCM(key).encrypt(bytes(12), plain, aad)


def cells():
    cases = []
    for clazz, number, direction, payload in [(NORMAL, 0, 0, b""), (NORMAL, 30_000_000, 1, b"hello"),
                                              (FAST, 2**40 + 7, 0, draw("push", 454))]:
        key, tag, network = draw(f"key {number}", 32), draw(f"tag {number}", 16), draw("network", 32)
        plain = body(1, 0, 7, 6, 0, 7, 0, 1, payload)
        cases.append({
            "network_id": network, "class": clazz, "round": number, "direction": direction, "key": key, "tag": tag,
            "body": plain, "cell": tag + seal(key, network, clazz, number, direction, plain),
        })
    write("cell.json", {"cells": cases})


# --- invite, enrolment and code -----------------------------------------------------------------------------------------------


def invites():
    secret, seed, url, name = draw("secret", 32), draw("seed", 32), b"https://relay.example", "Zoë".encode()
    sign_pk, xwing_pk, network = draw("sign", 32), draw("xwing", 1216), draw("network", 32)
    invite = b"TSI1" + b"\0" + network + u64(1_800_000_000) + secret + seed + xwing_pk + sign_pk
    invite += bytes([len(url)]) + url + bytes([len(name)]) + name
    digest = sha256(invite)

    shared, ciphertext = draw("shared", 32), draw("ciphertext", 1120)
    nonce_a, nonce_b = draw("nonce a", 16), draw("nonce b", 16)
    theirs, their_sign, their_name, epoch = draw("seed b", 32), draw("sign b", 32), "Bo".encode(), 20_773
    kh = extract(digest, shared + secret)
    commitment = sha256(PREFIX, b"sas", nonce_b, digest)
    plain = u32(epoch) + theirs + their_sign + commitment + their_name
    hello = ciphertext + AESGCM(expand(kh, b"hello", 32)).encrypt(bytes(12), plain, digest)
    transcript = sha256(PREFIX, b"transcript", u32(len(invite)), invite, u32(len(hello)), hello)
    root = extract(transcript, kh)
    confirm = expand(root, b"confirm", 32)

    def answer(side, nonce):
        return nonce + hmac.new(confirm, side + transcript, hashlib.sha256).digest()

    number = int.from_bytes(sha256(PREFIX, b"sas-code", transcript, nonce_a, nonce_b), "big") % 10**9
    digits = f"{number:09d}"
    buckets = [{"epoch": e, "buckets": b, "bucket": int.from_bytes(expand(seed, b"bucket" + u32(e), 16), "big") % b}
               for e, b in [(0, 1), (1, 17), (20_773, 4096), (20_774, 512)]]
    write("invite.json", {
        "network_id": network, "expires_s": 1_800_000_000, "secret": secret, "bucket_seed": seed, "xwing_pk": xwing_pk,
        "sign_pk": sign_pk, "url": url.decode(), "name": name.decode(), "invite": invite,
        "invite_root": extract(PREFIX + b"invite", secret), "buckets": buckets,
        "shared": shared, "ciphertext": ciphertext, "nonce_a": nonce_a, "nonce_b": nonce_b,
        "card": {"epoch": epoch, "bucket_seed": theirs, "sign_pk": their_sign, "name": their_name.decode()},
        "hello": hello, "transcript": transcript, "root": root,
        "confirm_a": answer(b"A", nonce_a), "confirm_b": answer(b"B", nonce_b),
        "code": f"{digits[:3]}-{digits[3:6]}-{digits[6:]}",
    })


bodies()
chains()
cells()
invites()
