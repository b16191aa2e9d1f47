"""What `absah demo` shows: sample agencies of a place that does not exist, and documents they would issue.

Regency, province, offices, people and numbers are made up. Region code 99 does not occur in Indonesia, so no
NIK, tax object or NIB in these documents can belong to anybody.
"""

from app.demo.model import SampleAgency, SampleDocument
from app.demo.samples import SAMPLE_AGENCIES, sample_documents

__all__ = ["SAMPLE_AGENCIES", "SampleAgency", "SampleDocument", "sample_documents"]
