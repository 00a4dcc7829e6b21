# relay.pl INTERFACE INTERFACE MILLISECONDS JITTER LOSS
# Carries frames between two network interfaces, each way: a frame leaves MILLISECONDS, give or take up to JITTER, after it
# came, and never before one that came earlier; LOSS percent of them are dropped. Needs no netem, which many kernels lack.
# Goes to the background when it is ready.
use strict;
use warnings;
use Errno qw(ENODEV ENXIO ENETDOWN);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

# linux/socket.h, linux/if_ether.h, linux/if_packet.h, linux/sockios.h
use constant { AF_PACKET => 17, SOCK_RAW => 3, ETH_P_ALL => 3, SOL_PACKET => 263 };
use constant { PACKET_VNET_HDR => 15, PACKET_IGNORE_OUTGOING => 23, SIOCGIFINDEX => 0x8933, MSG_DONTWAIT => 0x40 };
use constant LARGEST_FRAME   => 70_000;
use constant LONGEST_QUEUE   => 20_000;
use constant FRAMES_AT_ONCE  => 64;

my ( $one, $other, $delay, $jitter, $loss ) = @ARGV;

sub open_interface {
    my ($name) = @_;
    socket( my $socket, AF_PACKET, SOCK_RAW, 0 ) or die "raw socket: $!\n";
    my $request = pack( 'a16 x24', $name );
    ioctl( $socket, SIOCGIFINDEX, $request ) or die "interface $name: $!\n";
    my $index = unpack( 'x16 i', $request );
    # Frames that the sender left to its card to cut up and sum come and go with what the card has to know.
    setsockopt( $socket, SOL_PACKET, PACKET_VNET_HDR, pack( 'i', 1 ) ) or die "PACKET_VNET_HDR: $!\n";
    setsockopt( $socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, pack( 'i', 1 ) ) or die "PACKET_IGNORE_OUTGOING: $!\n";
    bind( $socket, pack( 'S n i S C C a8', AF_PACKET, ETH_P_ALL, $index, 0, 0, 0, '' ) ) or die "bind to $name: $!\n";
    return $socket;
}

sub is_gone { return $! == ENODEV || $! == ENXIO || $! == ENETDOWN }

my ( $first, $second ) = ( open_interface($one), open_interface($other) );

# From here on frames are kept for us, so whoever started us may go on.
exit 0 if fork;

my @ways = ( { from => $first, to => $second, queue => [], last => 0 }, { from => $second, to => $first, queue => [], last => 0 } );

sub accept_frames {
    my ( $way, $now ) = @_;
    for ( 1 .. FRAMES_AT_ONCE ) {
        my $frame;
        if ( !defined recv( $way->{from}, $frame, LARGEST_FRAME, MSG_DONTWAIT ) ) {
            exit 0 if is_gone();
            return;
        }
        next if rand(100) < $loss || @{ $way->{queue} } >= LONGEST_QUEUE;
        my $due = $now + ( $delay + ( 2 * rand() - 1 ) * $jitter ) / 1000;
        $due = $way->{last} if $due < $way->{last};
        $way->{last} = $due;
        push @{ $way->{queue} }, [ $due, $frame ];
    }
}

sub send_due {
    my ( $way, $now ) = @_;
    my $queue = $way->{queue};
    while ( @$queue && $queue->[0][0] <= $now ) {
        my $frame = ( shift @$queue )->[1];
        send( $way->{to}, $frame, MSG_DONTWAIT );    # like any switch: what the other side can't take is lost
    }
}

while (1) {
    my $now  = clock_gettime(CLOCK_MONOTONIC);
    my @next = sort { $a <=> $b } map { @{ $_->{queue} } ? $_->{queue}[0][0] - $now : () } @ways;
    my $wait = @next ? ( $next[0] > 0 ? $next[0] : 0 ) : undef;
    my $ready = '';
    vec( $ready, fileno( $_->{from} ), 1 ) = 1 for @ways;
    select( $ready, undef, undef, $wait );
    $now = clock_gettime(CLOCK_MONOTONIC);
    for my $way (@ways) {
        accept_frames( $way, $now ) if vec( $ready, fileno( $way->{from} ), 1 );
        send_due( $way, $now );
    }
}
