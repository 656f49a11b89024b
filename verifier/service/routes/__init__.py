# SPDX-License-Identifier: AGPL-3.0-or-later
"""The paths of the service, one file a subject; each makes a router from the service's parts."""
