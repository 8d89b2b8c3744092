# SPDX-License-Identifier: Apache-2.0
"""The certificates and keys of a test cluster, by openssl(1). They say whose key
signed them and what a key is for: Python 3.13 takes no others (RFC 5280)."""
import os
import subprocess

DAYS = "30"


def _openssl(*argv, **kw):
    subprocess.run(["openssl", *argv], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, **kw)


class Pki:
    """ca.crt in @folder, and what it signed."""

    def __init__(self, folder):
        self.folder = folder
        self._self_signed("ca", "/CN=smclab")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _self_signed(self, name, subject):
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS, "-subj",
                 subject, "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-keyout", self.path(name + ".key"), "-out",
                 self.path(name + ".crt"))

    def sign(self, name, subject, alt=()):
        """NAME.crt and NAME.key; alt: "IP:10.244.0.1", "DNS:kubernetes"."""
        key, csr = self.path(name + ".key"), self.path(name + ".csr")
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                 "-keyout", key, "-out", csr)
        extensions = ["basicConstraints=CA:FALSE",
                      "authorityKeyIdentifier=keyid",
                      "keyUsage=critical,digitalSignature,keyAgreement",
                      "extendedKeyUsage=serverAuth,clientAuth"]
        if alt:
            extensions.append("subjectAltName=" + ",".join(alt))
        with open(self.path(name + ".ext"), "w", encoding="ascii") as f:
            f.write("\n".join(extensions) + "\n")
        _openssl("x509", "-req", "-in", csr, "-CA", self.path("ca.crt"),
                 "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days",
                 DAYS, "-extfile", self.path(name + ".ext"),
                 "-out", self.path(name + ".crt"))

    def key_pair(self, name):
        """NAME.key and NAME.pub, RSA: what signs service account tokens."""
        _openssl("genrsa", "-out", self.path(name + ".key"), "2048")
        _openssl("rsa", "-in", self.path(name + ".key"), "-pubout", "-out",
                 self.path(name + ".pub"))
