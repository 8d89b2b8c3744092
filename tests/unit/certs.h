/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a CA that nobody trusts, and their keys: for tests alone,
 * good for a hundred years. */
#pragma once

/* signs the next three */
static const char ca_pem[] __attribute__((unused)) =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBjDCCATGgAwIBAgIUcXw8Yxd89snlYNT5wGHZHuIqGMUwCgYIKoZIzj0EAwIw\n"
	"GjEYMBYGA1UEAwwPc21jbWVzaCB0ZXN0IENBMCAXDTI2MTEyMjA2MjYwNVoYDzIx\n"
	"MjYxMDI5MDYyNjA1WjAaMRgwFgYDVQQDDA9zbWNtZXNoIHRlc3QgQ0EwWTATBgcq\n"
	"hkjOPQIBBggqhkjOPQMBBwNCAARdm/a2NKFjYq3+ieIonD0Mz78spt0DuUKUem12\n"
	"5EA8bf1kLFPJSC3jlyJVwUet3N0/+jpsfz2jL57JiQqZdx0zo1MwUTAdBgNVHQ4E\n"
	"FgQUnpwosibaQNKMDznqYNQoPcm24T0wHwYDVR0jBBgwFoAUnpwosibaQNKMDznq\n"
	"YNQoPcm24T0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA4p8s\n"
	"QFm5ig94yq/k2PJQlxFMGgQQnGk3aGggSmc2IwUCIQC1Bz868ehUoji5NmpUK87W\n"
	"af3+W+sDD37IGmZlJPW77A==\n"
	"-----END CERTIFICATE-----\n";

/* signs nothing */
static const char other_ca_pem[] __attribute__((unused)) =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBgDCCASegAwIBAgIUbbkCwrn+gPDnwy8V0ov8Dm8jI6AwCgYIKoZIzj0EAwIw\n"
	"FTETMBEGA1UEAwwKYW5vdGhlciBDQTAgFw0yNjExMjIwNjI2MDVaGA8yMTI2MTAy\n"
	"OTA2MjYwNVowFTETMBEGA1UEAwwKYW5vdGhlciBDQTBZMBMGByqGSM49AgEGCCqG\n"
	"SM49AwEHA0IABCxshIW0Py+DhwSTSJqYgt22Kk8nBEg/WvjtMyLsX2FwL1pKtzwc\n"
	"RFlbc/gGWfkOe+VQOrKKhL4ICqAzJ2xnM0SjUzBRMB0GA1UdDgQWBBTaetS4yjWF\n"
	"dUjZzIR9jL/6emDKkTAfBgNVHSMEGDAWgBTaetS4yjWFdUjZzIR9jL/6emDKkTAP\n"
	"BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIDrl76PdLMCzHyAbqCZ4\n"
	"nHdu1J7EYXvV4zeq+yMwZ+WHAiBUaP2FbHyXxeJh3qhUHIONLkWGt9UQ/oB/mGm0\n"
	"87SltA==\n"
	"-----END CERTIFICATE-----\n";

/* for 127.0.0.1 */
static const char server_pem[] __attribute__((unused)) =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBjjCCATWgAwIBAgIUB0FAaioGCQ6dxpnUI+VHbsxVwFYwCgYIKoZIzj0EAwIw\n"
	"GjEYMBYGA1UEAwwPc21jbWVzaCB0ZXN0IENBMCAXDTI2MTEyMjA2MjYwNVoYDzIx\n"
	"MjYxMDI5MDYyNjA1WjARMQ8wDQYDVQQDDAZzZXJ2ZXIwWTATBgcqhkjOPQIBBggq\n"
	"hkjOPQMBBwNCAARtAPHMy2ZPWMz5oWiDxbYmap7JWbS/y7sKoFAPogAMdmrAJUXb\n"
	"8C5kVmtjPx6vgcYEQJisQn8ZQc9PPhvCNsC+o2AwXjAPBgNVHREECDAGhwR/AAAB\n"
	"MAsGA1UdDwQEAwIHgDAdBgNVHQ4EFgQUZFWJjtEKttL5lgcQ+NrVj9ooO58wHwYD\n"
	"VR0jBBgwFoAUnpwosibaQNKMDznqYNQoPcm24T0wCgYIKoZIzj0EAwIDRwAwRAIg\n"
	"YxX8HQql1SXbsEbJH6BHxAYraWmw7DPTamWIFIx5AXYCIC0xvQ9ZGnnuIcgAHwEi\n"
	"afafD6vg0KFnto6GsKRMJLSP\n"
	"-----END CERTIFICATE-----\n";
static const char server_key[] __attribute__((unused)) =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEIKqHzH4qLI0TjpykyfsG8hNTOKINKne7Xszi28dhch/soAoGCCqGSM49\n"
	"AwEHoUQDQgAEbQDxzMtmT1jM+aFog8W2JmqeyVm0v8u7CqBQD6IADHZqwCVF2/Au\n"
	"ZFZrYz8er4HGBECYrEJ/GUHPTz4bwjbAvg==\n"
	"-----END EC PRIVATE KEY-----\n";

/* for api.example */
static const char named_pem[] __attribute__((unused)) =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBlDCCATugAwIBAgIUB0FAaioGCQ6dxpnUI+VHbsxVwFcwCgYIKoZIzj0EAwIw\n"
	"GjEYMBYGA1UEAwwPc21jbWVzaCB0ZXN0IENBMCAXDTI2MTEyMjA2MjYwNVoYDzIx\n"
	"MjYxMDI5MDYyNjA1WjAQMQ4wDAYDVQQDDAVuYW1lZDBZMBMGByqGSM49AgEGCCqG\n"
	"SM49AwEHA0IABDEnadJjApe4yZGydAS9En/5SxTmVZ9PmqrSvD8vVTTxVAUPLcv2\n"
	"D0hdCHV987bSWU+jwdCkJwqo6v6jIxIx5L2jZzBlMBYGA1UdEQQPMA2CC2FwaS5l\n"
	"eGFtcGxlMAsGA1UdDwQEAwIHgDAdBgNVHQ4EFgQUtTaCDdHSjuVkabQyELSueWr3\n"
	"QVQwHwYDVR0jBBgwFoAUnpwosibaQNKMDznqYNQoPcm24T0wCgYIKoZIzj0EAwID\n"
	"RwAwRAIgNyerJ9W1ir6S2liTSip/LuLmBvkSosab3kRTBNKPEp0CIHTqh8IsCGbf\n"
	"f1l3Wij4B4ffaqOkWGVZX1rJibMeuTFG\n"
	"-----END CERTIFICATE-----\n";
static const char named_key[] __attribute__((unused)) =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEIJ2RxlbsewNgn2CmK/pOY+qWxdUVUR9sBtKfwc6pZ21XoAoGCCqGSM49\n"
	"AwEHoUQDQgAEMSdp0mMCl7jJkbJ0BL0Sf/lLFOZVn0+aqtK8Py9VNPFUBQ8ty/YP\n"
	"SF0IdX3zttJZT6PB0KQnCqjq/qMjEjHkvQ==\n"
	"-----END EC PRIVATE KEY-----\n";

/* system:node:n1 */
static const char client_pem[] __attribute__((unused)) =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBRTCB7QIUB0FAaioGCQ6dxpnUI+VHbsxVwFgwCgYIKoZIzj0EAwIwGjEYMBYG\n"
	"A1UEAwwPc21jbWVzaCB0ZXN0IENBMCAXDTI2MTEyMjA2MjYwNVoYDzIxMjYxMDI5\n"
	"MDYyNjA1WjAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5c3Rl\n"
	"bTpub2RlOm4xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhJanfQyg5wFfv8EE\n"
	"aylrLeiEtqqNjDz6wmpThYeoMEX4Sv7qpkUVHtqgcxY+7I0+dfYh/v95wT0OOCNh\n"
	"ujNvEzAKBggqhkjOPQQDAgNHADBEAiA5vJjbXkXlPuPBMPKiVhR7Hf/2eQGvUqyc\n"
	"57JqplMSIwIgRgckiIjPSMj3gT5KA7DczEUZocBJs9C0GQx1ZFBMI3U=\n"
	"-----END CERTIFICATE-----\n";
static const char client_key[] __attribute__((unused)) =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEIMH9z93igwHwEUfbPk0UDbv58qoVUXH4ZCNc3GG1B/OtoAoGCCqGSM49\n"
	"AwEHoUQDQgAEhJanfQyg5wFfv8EEaylrLeiEtqqNjDz6wmpThYeoMEX4Sv7qpkUV\n"
	"HtqgcxY+7I0+dfYh/v95wT0OOCNhujNvEw==\n"
	"-----END EC PRIVATE KEY-----\n";
