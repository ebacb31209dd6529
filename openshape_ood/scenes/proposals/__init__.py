"""Object proposals of a scan, without classes."""

from openshape_ood.scenes.proposals.find import Proposals as Proposals
from openshape_ood.scenes.proposals.find import find_objects as find_objects
