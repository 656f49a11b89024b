# SPDX-License-Identifier: AGPL-3.0-or-later
"""Google's roots for the attestation keys of Compute Engine's virtual TPMs, pinned.

Nothing trusts them until a policy says `platform_ak_issuers = "pinned"`. Source: the CA certificates that the AK
certificates of such machines name, as copied in google/go-tpm-tools at commit 67670e5c02 and Dstack-TEE/dstack.
"""

from __future__ import annotations

import base64

PINNED_PLATFORM_AK_ISSUERS: tuple[bytes, ...] = tuple(
    base64.b64decode(text)
    for text in (
        # tpm_ek_v1_cloud_host_root-signer-0-2018-04-06T10:58:26-07:00 K:1, 1:Pw003HsFYO4:0:18, until 2118-04-06
        # 9bd5285f8fb18502a7947e621ffd470266f49fcd3b73e19a190f690ad32a7caf
        (
            "MIIGfzCCBGegAwIBAgIQbw4ksY2+TlOMT5bDqCZawTANBgkqhkiG9w0BAQsFADCBvjELMAkGA1UEBhMCVVMxEzARBgNVBAgTCkNhbGlm"
            "b3JuaWExFjAUBgNVBAcTDU1vdW50YWluIFZpZXcxEzARBgNVBAoTCkdvb2dsZSBMTEMxDjAMBgNVBAsTBUNsb3VkMV0wWwYDVQQDDFR0"
            "cG1fZWtfdjFfY2xvdWRfaG9zdF9yb290LXNpZ25lci0wLTIwMTgtMDQtMDZUMTA6NTg6MjYtMDc6MDAgSzoxLCAxOlB3MDAzSHNGWU80"
            "OjA6MTgwIBcNMTgwNDA2MTc1ODI2WhgPMjExODA0MDYxODU4MjZaMIG+MQswCQYDVQQGEwJVUzETMBEGA1UECBMKQ2FsaWZvcm5pYTEW"
            "MBQGA1UEBxMNTW91bnRhaW4gVmlldzETMBEGA1UEChMKR29vZ2xlIExMQzEOMAwGA1UECxMFQ2xvdWQxXTBbBgNVBAMMVHRwbV9la192"
            "MV9jbG91ZF9ob3N0X3Jvb3Qtc2lnbmVyLTAtMjAxOC0wNC0wNlQxMDo1ODoyNi0wNzowMCBLOjEsIDE6UHcwMDNIc0ZZTzQ6MDoxODCC"
            "AiIwDQYJKoZIhvcNAQEBBQADggIPADCCAgoCggIBAPvCO6TuV/jpJ4auYVo+9DKtdsC7EP5pXtyXwvbnCj2kT+8JPGb++tOJylihDSO2"
            "BNrtqVukkiV8dXYY0MQNufPinSnBZP7s1RXN4F99k0tSI3e5TI2DwRFBV0jcu7rYZlzx3mO1ltNp/9UVA3zxLz663SPnoBBUUNlXnY90"
            "JudOLfwXNP68KiCt/YIG7XrIRMY8iXNFrTS9BIlaLb+LIgmh29FN/YcQsXsAyum835FoULcDLqzrTjA+3rfRvQLwrq5QsJcEVuZYVRQS"
            "5td4RbRDz4GLQzHtRT0DSe89aFAndaK8h4i/WLDoOI8SJ8B8m+VvOWDYnx/7qP6NsCnicVg7BQzYqAtlTTHUzi5Nd2p7Hc3FbbqYU74E"
            "dNTtFAwDsI95N0f+LC3wRK1xvGgaRSdnJeklhNVsdO00TDkmAVdkkK+o7Pij2Ss2ywW9uRH5gnosnfswiWxAe9LvwJfBr4MNtha7evAw"
            "cvqkRvBJFgd+AVugOuwOCC3rHFEquaoUWpNrvSBFMVooWgs0fMMcStYYj+vRd9aNDtgHsbgSQvCFDmo91lcqRFcwYqDf8JmQwZO9yYOz"
            "jb/73MBsxRzuXpeQ9/L/SrIgL3zS7LLTybbQ3LJO592vz+sEk6/P/IOZSGPSh5NLVLSzjHfUuMR60hJ8zGo34QHJ/p1m6aHfk52hAgMB"
            "AAGjdTBzMA4GA1UdDwEB/wQEAwIBhjAQBgNVHSUECTAHBgVngQUIATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBRl9OTmqvb9WtKI"
            "nKhTVfcAjgj3pTAfBgNVHSMEGDAWgBRl9OTmqvb9WtKInKhTVfcAjgj3pTANBgkqhkiG9w0BAQsFAAOCAgEAJY6404gcN0hetPP/wdmL"
            "8fullQHfro3Jw5V311MFlkFEHpHS0+Bhg+Brt2J3D9CVpsAhmU5Wy8CrdZ25dh8vRp27Ki5zaq3VWnyQSt0zjIGwez7WMbq4ky5SfMlk"
            "mM5XvE1Boi99P6K4Qi2pJdU1JA4yYi6aiTz6A7iG7df769VokOD1Q4LIccD5MLUys+ptnbn30e1VmteBrHagrYUpedUUTzBo2050DoQL"
            "PTuGRBsQBnBkMD2N+yrj6Nov4YufKPQUklu3PtLxdjZMa3U7Yd+Aw2WJJgD4xu0OH4SYfnnguaSX20njyi8tXNxkhelXGMQt85YCuoYE"
            "5nBMDLQ0M0jsz0abUHjYavlHsVTxwPNWxUFONI3+tDdy9ZWXwhYDRg/C+z7IvcrO9hcnghmJ7a1lX1oTHCah9bjTqz5w+cccx/nXHXpM"
            "glcACXJXE7LlvO3VeStT+57cPuIfpRO7dRbce1O8qfnGH4Sk0LNmJai6OfFU/5499lvPdWbwChdLwaTFu/2Hs/Tq4bXvi9nHk0WSIQbP"
            "uUsFACRUf1U+NhyF7Ly6vWkI2cV3fI2wN1gQ2YgOiESSNE50dof8LyJ6RO97aQqAkW0Qeqj7xfL2+U6qlCQNNp4gSbBegysrcGNZKz/i"
            "BmmWoNvicw9mpPQqHnLv60IvRumxby/n617o/jU="
        ),
        # EK/AK CA Root, until 2122-07-08
        # 594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2
        (
            "MIIGATCCA+mgAwIBAgIUAKZdpPnjKPOANcOnPU9yQyvfFdwwDQYJKoZIhvcNAQELBQAwfjELMAkGA1UEBhMCVVMxEzARBgNVBAgTCkNh"
            "bGlmb3JuaWExFjAUBgNVBAcTDU1vdW50YWluIFZpZXcxEzARBgNVBAoTCkdvb2dsZSBMTEMxFTATBgNVBAsTDEdvb2dsZSBDbG91ZDEW"
            "MBQGA1UEAxMNRUsvQUsgQ0EgUm9vdDAgFw0yMjA3MDgwMDQwMzRaGA8yMTIyMDcwODA1NTcyM1owfjELMAkGA1UEBhMCVVMxEzARBgNV"
            "BAgTCkNhbGlmb3JuaWExFjAUBgNVBAcTDU1vdW50YWluIFZpZXcxEzARBgNVBAoTCkdvb2dsZSBMTEMxFTATBgNVBAsTDEdvb2dsZSBD"
            "bG91ZDEWMBQGA1UEAxMNRUsvQUsgQ0EgUm9vdDCCAiIwDQYJKoZIhvcNAQEBBQADggIPADCCAgoCggIBAJ0l9VCoyJZLSol8KyhNpbS7"
            "pBnuicE6ptrdtxAWIR2TnLxSgxNFiR7drtofxI0ruceoCIpsa9NHIKrz3sM/N/E8mFNHiJAuyVf3pPpmDpLJZQ1qe8yHkpGSs3Kj3s5Y"
            "YWtEecCVfzNs4MtKvGfA+WKB49A6Noi8R9R1GonLIN6wSXX3kP1ibRn0NGgdqgfgRe5HC3kKAhjZ6scT8Eb1SGlaByGzE5WoGTnNbyif"
            "kyx9oUZxXVJsqv2q611W3apbPxcgev8z5JXQUbrrQ7EbO0StK1DsKRsKLuD+YLxjrBRQ4UeIN5WHp6G0vgYiOptHm6YKZxQemO/kVMLR"
            "zsm1AYH7eNOFekcBIKRjSqpk5m4ud04qum6f0hBj3iE/Pe+DvIbVhLh9ItAunISGQPA9dYEgfA/qWir+pU7LV3phpLeGhull8G/zYmQh"
            "F3heg0buIR70aavzT8iLAQrxVMNRZJEGMwIN/tq8YiT3+3EZIcSqq6GAGjiuVw3NIsXC3+CuSJGQ5GbDp49Lc6VWPHeWeFvwSUGgxKXq"
            "5r1+PRsoYgK6S4hhecgXEX5c7Rta6TcFlEFb0XK9fpy1dr89LeFGxUBpdDvKxDRLMm3FQen8rmR/PSReEcJsaqbUP/q7Pc7k0RfF9Mb6"
            "AfPZfnqgpYJQ+IFSr9EjRSW1wPcL03zoTP47AgMBAAGjdTBzMA4GA1UdDwEB/wQEAwIBBjAQBgNVHSUECTAHBgVngQUIATAPBgNVHRMB"
            "Af8EBTADAQH/MB0GA1UdDgQWBBRJ50pbVin1nXm3pjA8A7KP5xTdTDAfBgNVHSMEGDAWgBRJ50pbVin1nXm3pjA8A7KP5xTdTDANBgkq"
            "hkiG9w0BAQsFAAOCAgEAlfHRvOB3CJoLTl1YG/AvjGoZkpNMyp5X5je1ICCQ68b296En9hIUlcYY/+nuEPSPUjDA3izwJ8DAfV4REgpQ"
            "zqoh6XhR3TgyfHXjJ6DC7puzEgtzF1+wHShUpBoe3HKuL4WhB3rvwk2SEsudBu92o9BuBjcDJ/GW5GRtpD/H71HAE8rI9jJ41nS0Fvkk"
            "jaX0glsntMVUXiwcta8GI0QOE2ijsJBwk41uQGt0YOj2SGlEwNAC5DBTB5kZ7+6X9xGE6/c+M3TAA0ONoX18rNfif94cCx/mPYOs8pUk"
            "ANRAQ4aTRBvpBrryGT8R1ahTBkMeRQG3tdsLHRT8fJCFUANd5WLWsi83005y/WuMz8/gFKc0PL+F+MubCsJ1ODPTRscH93QlS4zEMg5h"
            "DAIks+fDoRJ2QiROqo7GAqbTc7STKfGcr9+pa63na7f3oy1sZPWPdxB8tx5z3lghiPP3ktQx/yK/1Fwf1hgxJHFy/2UcaGuOXRRRTPyE"
            "nppZp82Kigs9aPHWtaVm2/LrXX2fvT9iM/k0CovNAj8rztHxsUEoA0xJnSOJNPpe9PRdjsTj7/u3Xu6hQLNNidBHgI3Hcmi704HMMd/3"
            "yZ424OOrS32ylpeU1oeQHFrLE6hYX4/ttMETbmESIKd2rTgstPotSvkuB5TljbKYPR+lq7hQav16U4E="
        ),
    )
)
"""DER certificates."""
