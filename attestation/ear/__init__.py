# SPDX-License-Identifier: AGPL-3.0-or-later
"""EAT attestation results (EAR, draft-ietf-rats-ear): what a verifier found, for relying parties that believe it."""
