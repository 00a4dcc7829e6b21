/**
 * A condition of a POSIX shell, which starts no program: there is a write-ahead log in a data directory, as etcd sees it. A directory without
 * a file of it is none (etcd v3.6 server/storage/wal/util.go: Exist).
 * @param dataDir as the shell is to read it
 */
export function hasLog(dataDir: string): string {
    return `( set -- ${dataDir}/member/wal/*.wal; [ -e "$1" ] )`;
}
