"""One look at a scene: a color image with depth and a camera, what lies where in it, and what is hidden."""

from openshape_ood.views.view import View as View
from openshape_ood.views.view import ViewWarning as ViewWarning
