#!/usr/bin/env python3
"""Signed requests made without Convoke's code: this script and the openssl command line.

    ./more-dkim-vectors.py > more-dkim-vectors.json

The form is that of dkim-vectors.json. Signatures differ from run to run only where a key does.
"""
import base64, hashlib, json, os, re, subprocess, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = 1795395173
BODY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
HEADERS = [
    ["iSchedule-Version", "1.0"],
    ["iSchedule-Message-ID", "m-1"],
    ["Cache-Control", "no-cache, no-transform"],
    ["Originator", "mailto:anna@example.org"],
    ["Recipient", "mailto:bo@example.com"],
    ["Content-Type", "text/calendar; component=VEVENT; method=REQUEST"],
]
H = "Content-Type:iSchedule-Version:Originator:Recipient:iSchedule-Message-ID"


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


def key_file(name):
    return f"{HERE}/keys/{name}.pem"


def public(name, form="spki"):
    if name.startswith("openssl-ed"):
        return openssl("pkey", "-in", key_file(name), "-pubout", "-outform", "DER")[-32:]
    option = "-pubout" if form == "spki" else "-RSAPublicKey_out"
    return openssl("rsa", "-in", key_file(name), option, "-outform", "DER")


def relax(name, value):
    value = re.sub(r"\s+", " ", value).strip()
    return name.lower() + ":" + re.sub(r" ?, ?", ",", value)


def sign(name, data):
    if name.startswith("openssl-ed"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(hashlib.sha256(data).digest())
            file.flush()
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key_file(name), "-in", file.name)
    return openssl("dgst", "-sha256", "-sign", key_file(name), data=data)


def vector(name, expect, why, key="openssl-rsa2048", record="v=DKIM1; k={k}; p={p}", form="spki", c="ischedule-relaxed/simple",
           h=H, tags="", a=None, headers=HEADERS, sent=None, body=BODY, sent_body=None, order=None, twice=False):
    kind = "ed25519" if "ed25519" in key else "rsa"
    p = base64.b64encode(public(key, form)).decode()
    names = [n.strip() for n in h.split(":")]
    lines = []
    for wanted in names:
        values = [v for n, v in headers if n.lower() == wanted.lower()]
        if values:
            lines.append(relax(wanted, ",".join(values)))
    bh = base64.b64encode(hashlib.sha256(re.sub(rb"(\r\n)*$", b"", body) + b"\r\n").digest()).decode()
    value = f"v=1; a={a or kind + '-sha256'}; c={c}; d=example.org; s=s1; {tags}h={h}; bh={bh}; b="
    lines.append(relax("DKIM-Signature", value))
    b = base64.b64encode(sign(key, "\r\n".join(lines).encode())).decode()
    field = ["DKIM-Signature", value + b]
    sent = list(sent or headers) + ([field, field] if twice else [field])
    return {
        "name": name, "signed_by": "a Python script and openssl",
        "key_record": record.format(k=kind, p=p, folded=" \t".join(re.findall(".{1,40}", p))),
        "domain": "example.org", "selector": "s1", "now": NOW,
        "headers": order(sent) if order else sent,
        "body": base64.b64encode(body if sent_body is None else sent_body).decode(), "expect": expect, "why": why,
    }


def changed(name, value):
    return [[n, value if n == name else v] for n, v in HEADERS]


def without(name):
    return [[n, v] for n, v in HEADERS if n != name]


V, P, F = vector, "pass", "fail"
TWO = changed("Recipient", "mailto:bo@example.com, mailto:cy@example.com")
vectors = [
    V("plain", P, "RSA 2048"),
    V("rsa-1024", P, "the shortest key that is believed", key="openssl-rsa1024"),
    V("rsa-768", F, "too short", key="rsa768"),
    V("pkcs1", P, "p= is a PKCS#1 key", form="pkcs1"),
    V("ed25519", P, "PKCS#8 without the public half", key="openssl-ed25519"),
    V("ed25519-under-rsa", F, "k=rsa over an Ed25519 key", key="openssl-ed25519", record="v=DKIM1; p={p}"),
    V("only-p", P, "everything but p= has a default", record="p={p}"),
    V("folded-p", P, "white space within p=", record="v=DKIM1;k=rsa;\tp = {folded} ;"),
    V("unknown-tags", P, "of the record and the signature", record="v=DKIM1; k=rsa; zz=1; n=note; p={p}", tags="zz=1; "),
    V("version-2", F, "v=DKIM2", record="v=DKIM2; k=rsa; p={p}"),
    V("version-not-first", F, "v= must be the first tag", record="k=rsa; v=DKIM1; p={p}"),
    V("unknown-kind", F, "k=ecdsa", record="v=DKIM1; k=ecdsa; p={p}"),
    V("testing", F, "t=y: not signed", record="v=DKIM1; t=y; p={p}"),
    V("any-service", P, "s=*", record="v=DKIM1; s=*; p={p}"),
    V("two-services", P, "s=email:ischedule", record="v=DKIM1; s=email : ischedule; p={p}"),
    V("hash-sha1", F, "h=sha1 of the record", record="v=DKIM1; h=sha1; p={p}"),
    V("hash-both", P, "h=sha1:sha256 of the record", record="v=DKIM1; h=sha1:sha256; p={p}"),
    V("duplicate-tag-in-record", F, "p= stands twice", record="v=DKIM1; p={p}; p={p}"),
    V("strict", P, "t=s, no i=", record="v=DKIM1; t=s; p={p}"),
    V("strict-identity-below", F, "t=s, i= below d=", record="v=DKIM1; t=s; p={p}", tags="i=anna@cal.example.org; "),
    V("identity-below", P, "i= below d=", tags="i=anna@cal.example.org; "),
    V("identity-next-door", F, "i=@evil-example.org", tags="i=@evil-example.org; "),
    V("identity-above", F, "i=@org", tags="i=@org; "),
    V("length", F, "l= is refused", tags="l=10; "),
    V("duplicate-tag", F, "t= stands twice", tags=f"t={NOW}; t={NOW}; "),
    V("four-minutes-ahead", P, "within the clock skew", tags=f"t={NOW + 240}; x={NOW + 900}; "),
    V("expires-now", P, "x= is this second", tags=f"t={NOW - 60}; x={NOW}; "),
    V("expired-a-second-ago", F, "x= has passed", tags=f"t={NOW - 60}; x={NOW - 1}; "),
    V("expires-before-signed", F, "x= before t=", tags=f"t={NOW + 100}; x={NOW + 50}; "),
    V("time-is-no-number", F, "t=soon", tags="t=soon; "),
    V("canonicalisation-left-out", P, "c=ischedule-relaxed", c="ischedule-relaxed"),
    V("canonicalisation-of-mail", F, "c=simple/simple", c="simple/simple"),
    V("names-in-any-case", P, "h= in upper case", h=H.upper()),
    V("space-in-h", P, "h= with spaces", h=H.replace(":", " : ")),
    V("name-twice-in-h", F, "h= names Recipient twice", h=H + ":recipient"),
    V("cache-control-signed", F, "h= names a field that hops change", h=H + ":Cache-Control"),
    V("proxy-signed", F, "h= names Proxy-Authorization", h=H + ":Proxy-Authorization"),
    V("absent-field-signed", P, "h= names a field that is not there", h=H + ":X-Absent"),
    V("absent-field-added", F, "and then it was added", h=H + ":X-Absent", sent=HEADERS + [["X-Absent", "1"]]),
    V("message-id-not-signed", P, "only four fields must be", h="Content-Type:iSchedule-Version:Originator:Recipient"),
    V("originator-not-signed", F, "one of the four", h="Content-Type:iSchedule-Version:Recipient"),
    V("content-type-not-signed", F, "one of the four", h="Originator:iSchedule-Version:Recipient"),
    V("version-not-signed", F, "one of the four", h="Content-Type:Originator:Recipient"),
    V("cache-control-changed", P, "it is not signed", sent=changed("Cache-Control", "no-store")),
    V("cache-control-removed", P, "it is not signed", sent=without("Cache-Control")),
    V("field-added", P, "not a signed one", sent=HEADERS + [["Via", "1.1 proxy"]]),
    V("recipients-joined", P, "a hop joined two fields", headers=TWO[:4] + [["Recipient", "mailto:bo@example.com"], ["Recipient", "mailto:cy@example.com"]] + TWO[5:], sent=TWO),
    V("recipients-split", P, "a hop split a field", headers=TWO, sent=TWO[:4] + [["Recipient", "mailto:bo@example.com"], ["Recipient", "mailto:cy@example.com"]] + TWO[5:]),
    V("recipients-swapped", F, "their order counts", headers=TWO, sent=changed("Recipient", "mailto:cy@example.com,mailto:bo@example.com")),
    V("recipient-dropped", F, "a hop dropped one", headers=TWO, sent=HEADERS),
    V("recipient-case", F, "case counts", sent=changed("Recipient", "mailto:Bo@example.com")),
    V("spaces-around-commas", P, "spaces came and went", headers=TWO, sent=changed("Recipient", "mailto:bo@example.com ,\t mailto:cy@example.com")),
    V("space-within", F, "a space where none was", sent=changed("Content-Type", "text/calendar;component=VEVENT; method=REQUEST")),
    V("other-order", P, "fields of different names may change places", order=lambda fields: fields[::-1]),
    V("names-in-lower-case", P, "HTTP/2 sends them so", order=lambda fields: [[n.lower(), v] for n, v in fields]),
    V("second-content-type", F, "a field of a signed name was added", sent=HEADERS + [["Content-Type", "text/calendar"]]),
    V("second-originator", F, "a field of a signed name was added", sent=HEADERS + [["Originator", "mailto:eve@example.net"]]),
    V("two-signatures", F, "only one is taken", twice=True),
    V("sha512", F, "no such algorithm", a="rsa-sha512"),
    V("empty-lines-added", P, "empty lines at the end of the body do not count", sent_body=BODY + b"\r\n\r\n"),
    V("last-line-end-lost", P, "nor does the last line end", sent_body=BODY[:-2]),
    V("line-ends-changed", F, "LF for CRLF", sent_body=BODY.replace(b"\r\n", b"\n")),
    V("body-appended", F, "a line was added", sent_body=BODY + b"X"),
    V("empty-body", P, "counts as one line end", body=b"", sent_body=b"\r\n"),
]
print(json.dumps(vectors, indent=1))
