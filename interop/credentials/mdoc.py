"""Mobile documents between us and PyPI's pymdoccbor, pycose and cbor2, both ways.

Usage: python mdoc.py PATH-OF-THE-EXAMPLE (cargo build -p tessera-credential --example mdoc)
"""

import base64
import datetime
import hashlib
import json
import logging
import subprocess
import sys
import time

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID, ObjectIdentifier
from pycose.headers import Algorithm
from pycose.keys import CoseKey
from pycose.messages import Sign1Message
from pymdoccbor.mdoc.issuer import MdocCborIssuer
from pymdoccbor.mdoc.verifier import MdocCbor
from pymdoccbor.tools import thaw_cbor

PROGRAM = sys.argv[1]
NOW = int(time.time())
NAMESPACE = "org.iso.18013.5.1"
DOCTYPE = "org.iso.18013.5.1.mDL"
# What the library tells of documents that we spoil on purpose.
logging.disable(logging.CRITICAL)
passed = failed = 0


def check(name, act):
    global passed, failed
    try:
        act()
        passed += 1
        print(f"ok {passed + failed} {name}")
    except Exception as fault:  # whatever goes wrong is a failure of this check
        failed += 1
        print(f"not ok {passed + failed} {name}: {type(fault).__name__} {fault}")


def ours(verb, **given):
    asked = json.dumps({"verb": verb, "now": NOW, **given})
    answer = subprocess.run([PROGRAM], input=asked, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def plain(value):
    """An element as our JSON has it."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64(value)
    if isinstance(value, cbor2.CBORTag):
        return plain(value.value)
    return value


def device_authentication(request, doctype, namespaces):
    """ISO/IEC 18013-5, 9.1.3.4 over OpenID4VP 1.0, B.2.6.1, made without our code."""
    info = [request["client_id"], request["nonce"], bytes.fromhex(request["thumbprint"]), request["response_uri"]]
    handover = ["OpenID4VPHandover", hashlib.sha256(cbor2.dumps(info)).digest()]
    content = ["DeviceAuthentication", [None, None, handover], doctype, cbor2.CBORTag(24, namespaces)]
    return cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(content)))


# --- what we make, read by pymdoccbor ---------------------------------------------------------------------------------
made = ours("issue")
root = x509.load_der_x509_certificate(base64.b64decode(made["root"]))


def as_library_wants(issuer_signed):
    return cbor2.dumps(
        {"version": "1.0", "documents": [{"docType": made["doctype"], "issuerSigned": issuer_signed}], "status": 0}
    )


def our_document():
    return thaw_cbor(cbor2.loads(unb64(made["issuer_signed"])))


def verified(data, roots):
    document = MdocCbor()
    document.loads(data)
    return document.verify(trusted_root_certs=roots), document


def pymdoccbor_verifies_our_document():
    accepted, document = verified(as_library_wants(our_document()), [root])
    assert accepted and len(document.documents) == 1
    assert document.documents[0].hash_verification["verified"] == 5, document.documents[0].hash_verification
    elements = {name: plain(value) for name, value in document.disclosure_map[NAMESPACE].items()}
    assert elements == made["claims"][NAMESPACE], elements


def pymdoccbor_refuses_our_document_when_an_element_is_altered():
    document = our_document()
    item = document["nameSpaces"][NAMESPACE][0]
    document["nameSpaces"][NAMESPACE][0] = cbor2.CBORTag(24, item.value.replace(b"Specimen", b"Sbecimen"))
    assert item.value != document["nameSpaces"][NAMESPACE][0].value
    accepted, _ = verified(as_library_wants(document), [root])
    assert not accepted


def pymdoccbor_refuses_our_document_under_another_root():
    other = x509.load_der_x509_certificate(base64.b64decode(ours("issue")["root"]))
    accepted, _ = verified(as_library_wants(our_document()), [other])
    assert not accepted


def pymdoccbor_verifies_what_our_holder_shows_and_sees_nothing_else():
    accepted, document = verified(unb64(made["device_response"]), [root])
    assert accepted
    assert set(document.disclosure_map[NAMESPACE]) == {"age_over_18", "portrait"}


def our_device_signature_verifies_over_a_transcript_made_elsewhere():
    response = thaw_cbor(cbor2.loads(unb64(made["device_response"])))
    document = response["documents"][0]
    security = cbor2.loads(cbor2.loads(document["issuerSigned"]["issuerAuth"][2]).value)
    assert security["status"] == {"status_list": {"idx": 412, "uri": "https://issuer.example/status/0"}}
    device = security["deviceKeyInfo"]["deviceKey"]
    protected, _, payload, signature = document["deviceSigned"]["deviceAuth"]["deviceSignature"]
    assert payload is None and cbor2.loads(protected) == {1: -7}
    curve = ec.EllipticCurvePublicNumbers(
        int.from_bytes(device[-2], "big"), int.from_bytes(device[-3], "big"), ec.SECP256R1()
    )
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    namespaces = document["deviceSigned"]["nameSpaces"].value

    def verify(request):
        signed = device_authentication(request, document["docType"], namespaces)
        content = cbor2.dumps(["Signature1", protected, b"", signed])
        curve.public_key().verify(der, content, ec.ECDSA(hashes.SHA256()))

    verify(made["request"])
    try:
        verify({**made["request"], "nonce": "another"})
    except InvalidSignature:
        return
    raise AssertionError("it verifies for another nonce too")


check("pymdoccbor verifies our document", pymdoccbor_verifies_our_document)
check("pymdoccbor refuses it when an element is altered", pymdoccbor_refuses_our_document_when_an_element_is_altered)
check("pymdoccbor refuses it under another root", pymdoccbor_refuses_our_document_under_another_root)
check(
    "pymdoccbor verifies what our holder shows and sees nothing else",
    pymdoccbor_verifies_what_our_holder_shows_and_sees_nothing_else,
)
check(
    "our device signature verifies over a transcript made elsewhere",
    our_device_signature_verifies_over_a_transcript_made_elsewhere,
)

# --- what pymdoccbor makes, read by us ----------------------------------------------------------------------------------
ELEMENTS = {"family_name": "Foreign", "birth_date": "1990-03-01", "age_over_18": True, "portrait": b"\xff\xd8\xff", "height": 170}


def cose_key(key):
    numbers = key.private_numbers()
    width = lambda number: number.to_bytes(32, "big")  # noqa: E731
    return {
        "KTY": "EC2",
        "CURVE": "P_256",
        "ALG": "ES256",
        "D": width(numbers.private_value),
        "X": width(numbers.public_numbers.x),
        "Y": width(numbers.public_numbers.y),
    }


def certificate(subject, key, issuer, issuer_key, is_root):
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731,E501
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    usage = dict.fromkeys(
        "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(), False
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_root:
        # As an IACA does it: critical, and for documents alone.
        made = made.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier("1.0.18013.5.1.2")]), critical=True)
    return made.sign(issuer_key, hashes.SHA256())


root_key, signer_key, device_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
their_root = certificate("Foreign Root", root_key, "Foreign Root", root_key, True)
their_signer = certificate("Foreign Signer", signer_key, "Foreign Root", root_key, False)
REQUEST = made["request"]


def their_document():
    issuer = MdocCborIssuer(private_key=cose_key(signer_key), alg="ES256")
    today = datetime.date.today()
    public = {name: value for name, value in cose_key(device_key).items() if name != "D"}
    issuer.new(
        data={NAMESPACE: dict(ELEMENTS)},
        doctype=DOCTYPE,
        validity={"issuance_date": str(today), "expiry_date": str(today + datetime.timedelta(days=30))},
        devicekeyinfo=public,
        x509_chain=[their_signer],
        revocation={"status_list": {"idx": 7, "uri": "https://foreign.example/status/1"}},
    )
    return thaw_cbor(cbor2.loads(issuer.dump()))["documents"][0]["issuerSigned"]


def shown(issuer_signed, names, request=REQUEST, key=None):
    """A wallet made of cbor2 and pycose."""
    chosen = [
        item for item in issuer_signed["nameSpaces"][NAMESPACE] if cbor2.loads(item.value)["elementIdentifier"] in names
    ]
    namespaces = cbor2.dumps({})
    message = Sign1Message(phdr={Algorithm: "ES256"}, payload=device_authentication(request, DOCTYPE, namespaces))
    message.key = CoseKey.from_dict(cose_key(key or device_key))
    signature = thaw_cbor(cbor2.loads(message.encode(tag=False)))
    signature[2] = None
    document = {
        "docType": DOCTYPE,
        "issuerSigned": {"nameSpaces": {NAMESPACE: chosen}, "issuerAuth": issuer_signed["issuerAuth"]},
        "deviceSigned": {
            "nameSpaces": cbor2.CBORTag(24, namespaces),
            "deviceAuth": {"deviceSignature": signature},
        },
    }
    return cbor2.dumps({"version": "1.0", "documents": [document], "status": 0})


theirs = their_document()


def judged(issuer_signed, response, root=their_root):
    return ours(
        "read",
        issuer_signed=b64(cbor2.dumps(issuer_signed)),
        device_response=b64(response),
        root=base64.b64encode(root.public_bytes(serialization.Encoding.DER)).decode(),
        request=REQUEST,
        paths=[{"path": [NAMESPACE, "age_over_18"], "values": [True]}, {"path": [NAMESPACE, "portrait"]}],
    )


ASKED = ["age_over_18", "portrait"]


def we_read_their_document_and_accept_what_their_holder_shows():
    seen = judged(theirs, shown(theirs, ASKED))
    assert seen["claims"][NAMESPACE] == {name: plain(value) for name, value in ELEMENTS.items()}, seen
    assert seen["status"] == {"idx": 7, "uri": "https://foreign.example/status/1"}, seen
    assert seen["failed"] == [], seen
    assert seen["presented"] == {NAMESPACE: {"age_over_18": True, "portrait": "_9j_"}}, seen


def refused(response, expected, **more):
    seen = judged(theirs, response, **more)
    assert seen["failed"] == expected and seen["presented"] is None, seen


def we_refuse_an_altered_element_of_theirs():
    altered = thaw_cbor(cbor2.loads(cbor2.dumps(theirs)))
    items = altered["nameSpaces"][NAMESPACE]
    place = next(n for n, item in enumerate(items) if b"Foreign" in item.value)
    items[place] = cbor2.CBORTag(24, items[place].value.replace(b"Foreign", b"Foreigm"))
    assert "rejected" in judged(altered, shown(theirs, ASKED))
    refused(shown(altered, [*ASKED, "family_name"]), ["VP-033 mdoc/digest"])


check("we read their document and accept what their holder shows", we_read_their_document_and_accept_what_their_holder_shows)
check("we refuse an altered element of theirs", we_refuse_an_altered_element_of_theirs)
check(
    "we refuse what their holder showed to another verifier",
    lambda: refused(
        shown(theirs, ASKED, {**REQUEST, "client_id": "x509_hash:other"}), ["VP-035 mdoc/device-signature"]
    ),
)
check(
    "we refuse another device",
    lambda: refused(shown(theirs, ASKED, key=ec.generate_private_key(ec.SECP256R1())), ["VP-035 mdoc/device-signature"]),
)
check(
    "we refuse their document under another root",
    lambda: refused(shown(theirs, ASKED), ["VP-014 trust/no-anchor"], root=root),
)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
