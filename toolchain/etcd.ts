export interface EtcdBinaries {
    readonly version: string;
}
export function etcdBinaries(_version: string): Promise<EtcdBinaries> {
    throw new Error("later");
}
