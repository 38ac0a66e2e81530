/* SPDX-License-Identifier: Apache-2.0 */
/* Which release of the API this is, as /version, --version and nodes tell it. */
#ifndef COX_BASE_VERSION_H
#define COX_BASE_VERSION_H

#define COX_KUBERNETES_MAJOR "1"
#define COX_KUBERNETES_MINOR "36"
#define COX_KUBERNETES_VERSION "v1.36.2+coxswain"

/* The architecture by the name that container images use. */
#if defined(__x86_64__)
#define COX_PLATFORM "amd64"
#elif defined(__aarch64__)
#define COX_PLATFORM "arm64"
#elif defined(__riscv)
#define COX_PLATFORM "riscv64"
#elif defined(__powerpc64__)
#define COX_PLATFORM "ppc64le"
#elif defined(__s390x__)
#define COX_PLATFORM "s390x"
#elif defined(__arm__)
#define COX_PLATFORM "arm"
#else
#define COX_PLATFORM "386"
#endif

#endif
