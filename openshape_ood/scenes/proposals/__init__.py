"""Places of a scan that may be objects, found without classes."""

from openshape_ood.scenes.proposals.find import Proposals as Proposals
from openshape_ood.scenes.proposals.find import find_objects as find_objects
