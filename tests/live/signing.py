"""DKIM signatures of iSchedule requests (c=ischedule-relaxed/simple), written from the specification alone."""

import base64
import hashlib
import re
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNED = ("content-type", "ischedule-version", "originator", "recipient", "ischedule-message-id")


class Signer:
    """A domain that signs, and whose key was exchanged by hand."""

    def __init__(self, domain, keys, selector="s1"):
        self.domain, self.selector = domain, selector
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        folder = keys / domain
        folder.mkdir(parents=True, exist_ok=True)
        (folder / selector).write_text(f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}\n")

    def sign(self, headers, body, time_tags=None):
        """The value of DKIM-Signature; `time_tags` replaces `t=…; x=…`."""
        if time_tags is None:
            now = int(time.time())
            time_tags = f"t={now}; x={now + 300};"
        names = list(dict.fromkeys(name.lower() for name, _ in headers if name.lower() in SIGNED))
        while body.endswith(b"\r\n"):
            body = body[:-2]
        digest = base64.b64encode(hashlib.sha256(body + b"\r\n").digest()).decode()
        field = (f"v=1; a=ed25519-sha256; c=ischedule-relaxed/simple; d={self.domain}; s={self.selector}; {time_tags}"
                 f" q=private-exchange; h={':'.join(names)}; bh={digest}; b=")
        lines = [canonical(name, [value for it, value in headers if it.lower() == name]) for name in names]
        text = "\r\n".join([*lines, canonical("dkim-signature", [field])])
        return field + base64.b64encode(self.key.sign(hashlib.sha256(text.encode()).digest())).decode()


def canonical(name, values):
    value = re.sub(r"[ \t]+", " ", ",".join(values))
    return f"{name}:{re.sub(' ?, ?', ',', value).strip()}"
