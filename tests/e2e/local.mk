# SPDX-License-Identifier: Apache-2.0
# End-to-end tests: real daemons, real clients.

EXTRA_DIST += tests/lib/functions.bash tests/lib/kubectl.sh \
	%D%/wire.bats %D%/watch.bats %D%/hostile.bats
