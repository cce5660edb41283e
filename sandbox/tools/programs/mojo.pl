# Mojo::Pg's migrations as an application runs them. Argument: the version to go to.
use strict;
use warnings;
use Mojo::Pg;

my $pg = Mojo::Pg->new("postgresql://$ENV{PGUSER}\@$ENV{PGHOST}:$ENV{PGPORT}/$ENV{PGDATABASE}");
$pg->migrations->from_file('migrations/all.sql')->migrate($ARGV[0]);
