/** Where everything downloaded or built is kept: `$XDG_CACHE_HOME/pulumi-etcd`, by default `~/.cache/pulumi-etcd`. */
export function cacheDirectory(): string;
