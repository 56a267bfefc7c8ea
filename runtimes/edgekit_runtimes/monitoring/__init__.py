"""What goes through an open model, compared with what it was calibrated on: streaming, bounded, cheap."""
