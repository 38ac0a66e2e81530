# SPDX-License-Identifier: Apache-2.0
# Every plugin has a folder with its code, its local.mk and its man page.

include plugins/authenticator/common/local.mk
include plugins/authenticator/x509/local.mk
include plugins/authenticator/token/local.mk
include plugins/authenticator/basic/local.mk
include plugins/authenticator/serviceaccount/local.mk
include plugins/authorizer/alwaysallow/local.mk
include plugins/authorizer/alwaysdeny/local.mk

include plugins/storage/common/local.mk
include plugins/storage/memory/local.mk
include plugins/storage/leveldb/local.mk
include plugins/controller/common/local.mk
include plugins/controller/namespace/local.mk
include plugins/controller/serviceaccount/local.mk
include plugins/controller/endpoints/local.mk
include plugins/controller/endpointslice/local.mk
include plugins/controller/garbagecollector/local.mk
include plugins/controller/node/local.mk
include plugins/controller/persistentvolume/local.mk
include plugins/controller/podgc/local.mk
include plugins/controller/resourcequota/local.mk
include plugins/controller/replication/local.mk
include plugins/controller/service/local.mk
include plugins/controller/cloudnode/local.mk
include plugins/controller/ephemeralvolume/local.mk
include plugins/controller/volumeprotection/local.mk
include plugins/runtime/hollow/local.mk
include plugins/volume/local.mk
include plugins/runtime/oci/local.mk
include plugins/network/bridge/local.mk

include plugins/admission/common/local.mk
include plugins/admission/alwaysadmit/local.mk
include plugins/admission/alwaysdeny/local.mk
include plugins/admission/defaultstorageclass/local.mk
include plugins/admission/limitranger/local.mk
include plugins/admission/namespaceautoprovision/local.mk
include plugins/admission/namespaceexists/local.mk
include plugins/admission/namespacelifecycle/local.mk
include plugins/admission/resourcequota/local.mk
include plugins/admission/securitycontextdeny/local.mk
include plugins/admission/serviceaccount/local.mk
include plugins/admission/storageobjectinuseprotection/local.mk
include plugins/scheduler/default/local.mk
include plugins/scheduler/packed/local.mk
include plugins/proxy/userspace/local.mk
include plugins/cloud/local/local.mk
