"""RGB-D views: relevancy of names in an image, lifting to 3D, completion of hidden parts."""

from openshape_ood.views.files import load_view as load_view
from openshape_ood.views.files import save_view as save_view
from openshape_ood.views.lifting import Lifted as Lifted
from openshape_ood.views.lifting import lift as lift
from openshape_ood.views.view import View as View
from openshape_ood.views.view import ViewWarning as ViewWarning
