/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI documents, built on request from the schema tables and what is
 * served: version 2 as JSON and as protobuf, version 3 a group version each.
 */
#ifndef COX_APISERVER_OPENAPI_H
#define COX_APISERVER_OPENAPI_H

#include "apiserver/call.h"

void openapi_v2(struct api_call *call);		 /* /openapi/v2 */
void openapi_v2_protobuf(struct api_call *call); /* /swagger-2.0.0.pb-v1 */
void openapi_v3_index(struct api_call *call);	 /* /openapi/v3 */
/* /openapi/v3/api/VERSION and /openapi/v3/apis/GROUP/VERSION */
void openapi_v3(struct api_call *call, const char *group, const char *version);

#endif
