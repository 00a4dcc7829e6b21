import "./compileCache";

export type * from "./args";
export { ClusterCertificates, type ClientCertificate, type ClusterCertificatesArgs } from "./certificates";
export { EtcdCluster } from "./etcdCluster";
export { EtcdHost, type EtcdHostInputs } from "./etcdHost";
export { EtcdMembership } from "./membership/resource";
