/** What a host that is to become a member is measured with: a script, and its answer as plain values. Pure. */
import { shellQuote } from "../quote";

/** One that the host is to talk to. */
export interface Peer {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
}

export interface Probe {
    /** Milliseconds of each write. */
    readonly syncs: readonly number[];
    /** By name, in milliseconds; undefined for one from whom nothing came back. */
    readonly trips: Readonly<Record<string, number | undefined>>;
    /** Why something could not be measured. */
    readonly unmeasured: string | undefined;
}

/** So many writes, or as many as half a second has room for. */
const WRITES = 100;
const SYNC_MILLISECONDS = 500;
const TRIPS = 3;
const SILENT_SECONDS = 1;

/**
 * Each write is what etcd's own advice on disks takes for one of its log (2300 bytes into space that was allocated before, then fdatasync:
 * etcd.io, "Hardware recommendations"). The file has no name, so nothing is left whenever this ends. A round trip is a TCP connection: one
 * that is refused is an answer as good as any. Perl's core is on every Debian (perl-base), and perl-base has no clock but the kernel's.
 */
const PROGRAM = `
use strict;
use Fcntl;
use Socket qw(AF_INET AF_INET6 SOCK_STREAM SOL_SOCKET SO_ERROR inet_pton pack_sockaddr_in pack_sockaddr_in6);
use constant { O_UNNAMED => 020000000, CLOCK_MONOTONIC => 1, ECONNREFUSED => 111, EINPROGRESS => 115 };

my ($machine, $place, @peers) = @ARGV;
$| = 1;
my @generic = (83, 47, 113);
my %calls = (x86_64 => [75, 285, 228], aarch64 => \\@generic, riscv64 => \\@generic, loongarch64 => \\@generic);
length(pack "p", "") == 8 && $calls{$machine} or give_up("perl on $machine is not known");
my ($fdatasync, $fallocate, $clock_gettime) = @{ $calls{$machine} };

sub give_up { print "unmeasured=$_[0]\\n"; exit 0 }

sub now {
    my $time = pack "q2", 0, 0;
    syscall($clock_gettime, CLOCK_MONOTONIC, $time) == 0 or give_up("clock: $!");
    my ($seconds, $nanoseconds) = unpack "q2", $time;
    return $seconds * 1e3 + $nanoseconds / 1e6;
}

sub trip {
    my ($address, $port) = @_;
    my $family = $address =~ /:/ ? AF_INET6 : AF_INET;
    my $ip = inet_pton($family, $address);
    my $to = $family == AF_INET ? pack_sockaddr_in($port, $ip) : pack_sockaddr_in6($port, $ip);
    socket(my $socket, $family, SOCK_STREAM, 0) or return;
    fcntl($socket, F_SETFL, O_NONBLOCK) or return;
    my $began = now();
    my $error = connect($socket, $to) ? 0 : $! + 0;
    if ($error == EINPROGRESS) {
        my $ready = "";
        vec($ready, fileno $socket, 1) = 1;
        select(undef, $ready, undef, ${SILENT_SECONDS}) > 0 or return;
        $error = unpack "i", getsockopt($socket, SOL_SOCKET, SO_ERROR);
    }
    return $error == 0 || $error == ECONNREFUSED ? now() - $began : undef;
}

while (my ($name, $address, $port) = splice @peers, 0, 3) {
    my @trips;
    for (1 .. ${TRIPS}) {
        my $trip = trip($address, $port);
        last if !defined $trip;
        push @trips, $trip;
    }
    my ($best) = sort { $a <=> $b } @trips;
    print "trip=$name ", defined $best ? $best : "", "\\n";
}

my $file;
if (!sysopen $file, $place, O_WRONLY | O_DIRECTORY | O_UNNAMED, 0600) {
    my $name = "$place/.pulumi-etcd-probe-$$";
    sysopen $file, $name, O_WRONLY | O_CREAT | O_EXCL, 0600 or give_up("$place: $!");
    unlink $name;
}
syscall($fallocate, fileno $file, 0, 0, 1 << 20);
my $end = now() + ${SYNC_MILLISECONDS};
for (1 .. ${WRITES}) {
    my $began = now();
    syswrite($file, "x" x 2300) == 2300 && syscall($fdatasync, fileno $file) == 0 or give_up("$place: $!");
    my $ended = now();
    print "sync=", $ended - $began, "\\n";
    last if $ended > $end;
}
`;

/** @param place a directory of the file system that etcd's data is to lie in */
export function probeScript(place: string, peers: readonly Peer[]): string {
    const words = [place, ...peers.flatMap(({ name, address, peerPort }) => [name, address, String(peerPort)])];
    return `
command -v perl >/dev/null || { echo "unmeasured=perl is missing"; exit 0; }
perl -e ${shellQuote(PROGRAM)} "$(uname -m)" ${words.map(shellQuote).join(" ")} || echo "unmeasured=perl ended with exit code $?"`;
}

/** Reads what the script of `probeScript` printed. */
export function parseProbe(answer: string): Probe {
    const values = (key: string): readonly string[] =>
        answer.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
    const trips = values("trip").map((line) => {
        const [name = "", milliseconds = ""] = line.split(" ");
        return [name, milliseconds === "" ? undefined : Number(milliseconds)] as const;
    });
    return {
        syncs: values("sync").map(Number),
        trips: Object.fromEntries(trips),
        unmeasured: values("unmeasured")[0],
    };
}
