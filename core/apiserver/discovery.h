/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery: which groups, versions and resources there are, in the three
 * forms that clients ask for (aggregated v2 and v2beta1, and a document a
 * group version). Made from the tables of what is served.
 */
#ifndef COX_APISERVER_DISCOVERY_H
#define COX_APISERVER_DISCOVERY_H

#include "apiserver/call.h"

void discovery_api(struct api_call *call);  /* /api */
void discovery_apis(struct api_call *call); /* /apis */
/* /apis/GROUP; NotFound text if there is none. */
void discovery_group(struct api_call *call, const char *group);
/* /api/VERSION and /apis/GROUP/VERSION */
void discovery_version(struct api_call *call, const char *group, const char *version);

/* Answers with a document that may be cached under the hash of its content. */
void discovery_answer_document(struct api_call *call, const char *content_type,
			       const struct cox_buf *body);

#endif
