"""Archives (PACS) that speak DICOMweb: finding series in them, fetching them, and sending scans to them.

Which archives there are, and with which credentials, stands in the environment. What an archive says of patients is
shown to the person who asked and kept nowhere.
"""
