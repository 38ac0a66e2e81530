# SPDX-License-Identifier: Apache-2.0
# make check-vm: the committed tree on a machine of its own; minutes with KVM,
# hours without, so no part of make check.

VM_TESTS = %D%/check-vm %D%/guest %D%/image
EXTRA_DIST += $(VM_TESTS) config/packages.vm
check-vm:
	@builddir=$(abs_top_builddir) srcdir=$(abs_top_srcdir) $(srcdir)/tests/vm/check-vm
.PHONY: check-vm
