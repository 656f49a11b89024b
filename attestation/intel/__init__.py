# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Intel's TDX and SGX quotes have in common: the quote, its certificates, its collateral.

::

    Intel SGX Root CA -> PCK CA -> PCK certificate -> QE report -> attestation key -> header || body
                     `-> TCB signing -> TCB information (platform, TDX module), QE identity

==================  ======================================================================
`quote`             quotes of version 3, 4 and 5; `enclave` reports; `pem` chains; `pck` extension
`authenticity`      signatures, certificate chain, revocation
`collateral`        Intel's collateral in any files; `documents` TCB information and QE identity
`currency`          which documents can be relied upon; `standing` what they say of this quote
`ladder`            TCB levels and how their statuses add up
`second_opinion`    dcap-qvl, which must agree; the one optional library
`appraisal`         all of it in order, and when it expires
`raw`               quotes in buffers with zeros behind them
==================  ======================================================================

Not a format by itself: `attestation.tdx` and `attestation.sgx` are.
"""
