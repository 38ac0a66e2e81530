# SPDX-License-Identifier: Apache-2.0
# One suite a kind, run on every plugin of that kind.

include tests/conformance/storage/local.mk
include tests/conformance/runtime/local.mk
include tests/conformance/network/local.mk
include tests/conformance/authenticator/local.mk
include tests/conformance/admission/local.mk
include tests/conformance/scheduler/local.mk
include tests/conformance/proxy/local.mk
include tests/conformance/cloud/local.mk
