<?php
// Laravel's migrator as `artisan migrate` runs it. Command: up or down.
foreach (['Database', 'Filesystem', 'Events'] as $part) require "Illuminate/$part/autoload.php";
use Illuminate\Database\Capsule\Manager;
use Illuminate\Database\Migrations\{DatabaseMigrationRepository, Migrator};

$manager = new Manager;
$manager->addConnection([
    'driver' => 'pgsql', 'host' => getenv('PGHOST'), 'port' => getenv('PGPORT'), 'database' => getenv('PGDATABASE'),
    'username' => getenv('PGUSER'), 'password' => '', 'schema' => 'public',
]);
$manager->setAsGlobal();
$container = new Illuminate\Container\Container;
Illuminate\Support\Facades\Facade::setFacadeApplication($container);
$container->bind('db', fn () => $manager->getDatabaseManager());
$container->bind('db.schema', fn () => $manager->schema());
$repository = new DatabaseMigrationRepository($manager->getDatabaseManager(), 'migrations');
$repository->setSource('default');
if (!$repository->repositoryExists()) $repository->createRepository();
$migrator = new Migrator($repository, $manager->getDatabaseManager(), new Illuminate\Filesystem\Filesystem);
$migrator->setConnection('default');
if ($argv[1] == 'up') $migrator->run(['migrations']);
else $migrator->rollback(['migrations'], ['step' => 1]);
