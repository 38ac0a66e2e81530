/* SPDX-License-Identifier: Apache-2.0 */
/* Names by which the kubelet finds its own things again. */
#ifndef COX_KUBELET_NAMES_H
#define COX_KUBELET_NAMES_H

/* on sandboxes and containers */
#define LABEL_POD "io.kubernetes.pod.name"
#define LABEL_NAMESPACE "io.kubernetes.pod.namespace"
#define LABEL_UID "io.kubernetes.pod.uid"
#define LABEL_CONTAINER "io.kubernetes.container.name"
#define ANNOTATION_HASH "io.kubernetes.container.hash"
#define ANNOTATION_GRACE "io.kubernetes.pod.terminationGracePeriod"

/* on pods */
#define ANNOTATION_SOURCE "kubernetes.io/config.source" /* "file", "http", "api" */
#define ANNOTATION_MIRROR "kubernetes.io/config.mirror"
#define ANNOTATION_CONFIG_HASH "kubernetes.io/config.hash"

#endif
