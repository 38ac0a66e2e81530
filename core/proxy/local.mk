# SPDX-License-Identifier: Apache-2.0

core_libcoxcore_la_SOURCES += %D%/flags.c %D%/flags.h

dist_man_MANS += %D%/kube-proxy.8
