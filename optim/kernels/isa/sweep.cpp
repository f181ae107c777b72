namespace temper::kernels::TEMPER_ISA {}
