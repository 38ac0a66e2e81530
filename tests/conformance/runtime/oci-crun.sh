#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The runtime suite on the oci plugin with crun.
exec "$builddir/tests/conformance/runtime/oci" crun
