"""`edgegap targets`."""

from edgegap.cli.catalogue import catalogue

command = catalogue("targets", "targets", "Targets: devices that have a profile.")
