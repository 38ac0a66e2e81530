# SPDX-License-Identifier: Apache-2.0
# What holds for the tree as a whole: its look, its floors, its manual, and what
# it installs.

STYLE_TESTS = %D%/source.sh %D%/rules.bats %D%/manual.bats %D%/readme.bats %D%/image.bats %D%/install.bats
TESTS += $(STYLE_TESTS)
EXTRA_DIST += $(STYLE_TESTS)
